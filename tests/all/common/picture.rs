//! The content of a screen: characters with their styles, read from tmux, and the same without the varying parts.

/// Text that varies from run to run. `#` is a digit, `*` a number of any length, `&` a hexadecimal digit, `@` a letter
/// of a user code, `~` a character of base64 for URLs. The pattern replaces the text that it matches. The first
/// matching pattern is used.
const VARYING: [&str; 24] = [
    "127.0.0.1:#####",
    "localhost:#####",
    "%3A#####",
    "state=~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~",
    "challenge=~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~",
    "nonce=~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~",
    "correlation &&&&&&&&-&&&&-&&&&-&&&&-&&&&&&&&&&&&",
    "trace &&&&&&&&-&&&&-&&&&-&&&&-&&&&&&&&&&&&",
    "####-##-## ##:##:##Z",
    "####-##-## ##:##:##",
    "####-##-## ##:##",
    "####-##-##T##:##:##Z",
    "##:##:##",
    "##:##",
    "#:##",
    "@@@@-@@@@",
    "@@@@@@@@@",
    "process *",
    "Process *",
    "pid *",
    "## min left",
    "# h ## min left",
    "## min",
    "* s left",
];
/// The letters in the user codes of the simulated world.
const CODE_LETTERS: &str = "BCDFGHJKLMNPQRSTVWXZ";
/// The characters of QR codes, and their replacement: the codes contain a port and a user code.
const BLOCKS: &str = "▀▄█";
const HIDDEN: char = '▒';
/// Rows with fewer blocks do not belong to a QR code.
const QR_WIDTH: usize = 8;

/// One character and its style.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    symbol: char,
    style: Style,
}

/// The graphic rendition (SGR) of a character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Style {
    attributes: Vec<&'static str>,
    foreground: Option<String>,
    background: Option<String>,
}

/// A screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The lines as written: a line that is longer than the screen is wide takes several rows.
    lines: Vec<Vec<Cell>>,
    columns: usize,
}

impl Picture {
    /// Reads the output of `tmux capture-pane -e -J`.
    pub fn read(captured: &str, columns: usize) -> Picture {
        let mut style = Style::default();
        let lines = captured.lines().map(|line| {
            let mut cells = Vec::new();
            let mut rest = line.chars();
            while let Some(symbol) = rest.next() {
                match symbol {
                    '\x1b' => style.take(&mut rest),
                    // Start and end of line drawing.
                    '\x0e' | '\x0f' => {}
                    _ => cells.push(Cell { symbol, style: style.clone() }),
                }
            }
            cells
        });
        Picture { lines: lines.collect(), columns }
    }

    /// Replaces everything that varies, and `literals`, by placeholders: pairs of a text and its placeholder. If a
    /// placeholder has another length, the rest of the line moves as it would on the terminal.
    pub fn masked(&self, literals: &[(String, String)]) -> Picture {
        let mut lines = self.lines.clone();
        hide_qr_codes(&mut lines);
        Picture { lines: lines.iter().map(|line| mask_line(line, literals)).collect(), columns: self.columns }
    }

    fn rows(&self) -> impl Iterator<Item = &[Cell]> {
        self.lines.iter().flat_map(|line| {
            let empty: &[Cell] = &[];
            line.chunks(self.columns).chain(line.is_empty().then_some(empty))
        })
    }

    /// The characters: rows right-trimmed, no empty rows at the end.
    pub fn text(&self) -> String {
        let row = |row: &[Cell]| row.iter().map(|cell| cell.symbol).collect::<String>().trim_end().to_owned();
        let text = self.rows().map(row).collect::<Vec<_>>().join("\n");
        format!("{}\n", text.trim_end_matches('\n'))
    }

    /// The rows with styles, which are in braces: `{bold green}alice{}`. Empty if there are none.
    pub fn styled(&self) -> String {
        let plain = Style::default();
        let rows = self.rows().filter(|row| row.iter().any(|cell| cell.style != plain));
        rows.map(|row| {
            let (mut text, mut current) = (String::new(), &plain);
            for cell in row {
                if cell.style != *current {
                    text.push_str(&format!("{{{}}}", cell.style.words()));
                    current = &cell.style;
                }
                text.push(cell.symbol);
            }
            let end = if *current == plain { "" } else { "{}" };
            format!("{}{end}\n", text.trim_end())
        })
        .collect()
    }
}

impl Style {
    /// Consumes an escape sequence after its ESC. Only SGR (ECMA-48 8.3.117) changes the style.
    fn take(&mut self, rest: &mut std::str::Chars<'_>) {
        match rest.next() {
            Some('[') => {
                let parameters: String = rest.by_ref().take_while(|symbol| *symbol != 'm').collect();
                self.apply(&parameters);
            }
            // OSC 8, a hyperlink: up to the string terminator.
            Some(']') => {
                let _ = rest.by_ref().find(|symbol| *symbol == '\\');
            }
            _ => {}
        }
    }

    fn apply(&mut self, parameters: &str) {
        let mut numbers = parameters.split(';');
        while let Some(parameter) = numbers.next() {
            // `4:3` is a kind of underline; which kind does not matter.
            let number: u8 = parameter.split(':').next().unwrap_or_default().parse().unwrap_or(0);
            match number {
                0 => *self = Style::default(),
                1 => self.attributes.push("bold"),
                2 => self.attributes.push("dim"),
                3 => self.attributes.push("italic"),
                4 => self.attributes.push("underlined"),
                5 => self.attributes.push("blinking"),
                7 => self.attributes.push("reverse"),
                9 => self.attributes.push("struck"),
                22 => self.attributes.retain(|word| !matches!(*word, "bold" | "dim")),
                23 => self.attributes.retain(|word| *word != "italic"),
                24 => self.attributes.retain(|word| *word != "underlined"),
                25 => self.attributes.retain(|word| *word != "blinking"),
                27 => self.attributes.retain(|word| *word != "reverse"),
                29 => self.attributes.retain(|word| *word != "struck"),
                30..=37 | 90..=97 => self.foreground = Some(colour(number % 10, number >= 90)),
                38 => self.foreground = other_colour(&mut numbers),
                39 => self.foreground = None,
                40..=47 | 100..=107 => self.background = Some(colour(number % 10, number >= 100)),
                48 => self.background = other_colour(&mut numbers),
                49 => self.background = None,
                _ => {}
            }
        }
        self.attributes.sort_unstable();
        self.attributes.dedup();
    }

    fn words(&self) -> String {
        let attributes = self.attributes.iter().map(|word| (*word).to_owned());
        let background = self.background.as_ref().map(|colour| format!("on {colour}"));
        attributes.chain(self.foreground.clone()).chain(background).collect::<Vec<_>>().join(" ")
    }
}

fn colour(number: u8, is_bright: bool) -> String {
    let names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
    format!("{}{}", if is_bright { "bright " } else { "" }, names[usize::from(number % 8)])
}

/// A colour by number (`5;N`) or by components (`2;R;G;B`).
fn other_colour<'a>(numbers: &mut impl Iterator<Item = &'a str>) -> Option<String> {
    let count = if numbers.next()? == "5" { 1 } else { 3 };
    Some(format!("#{}", numbers.take(count).collect::<Vec<_>>().join("/")))
}

/// Fills the bounding rectangle of each QR code.
fn hide_qr_codes(rows: &mut [Vec<Cell>]) {
    let is_block = |cell: &Cell| BLOCKS.contains(cell.symbol);
    let is_qr = |row: &Vec<Cell>| row.iter().filter(|cell| is_block(cell)).count() >= QR_WIDTH;
    for code in rows.chunk_by_mut(|a, b| is_qr(a) == is_qr(b)).filter(|rows| is_qr(&rows[0])) {
        let left = code.iter().filter_map(|row| row.iter().position(is_block)).min().unwrap_or(0);
        let right = code.iter().filter_map(|row| row.iter().rposition(is_block)).max().unwrap_or(0);
        for row in code {
            let style = row[row.iter().position(is_block).unwrap_or(0)].style.clone();
            row.resize(row.len().max(right + 1), Cell { symbol: ' ', style: Style::default() });
            row[left..=right].fill(Cell { symbol: HIDDEN, style });
        }
    }
}

fn mask_line(line: &[Cell], literals: &[(String, String)]) -> Vec<Cell> {
    let mut masked = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let literal = literals.iter().find_map(|(text, placeholder)| {
            let length = text.chars().count();
            let found = line.get(at..at + length)?.iter().map(|cell| cell.symbol).eq(text.chars());
            found.then(|| (length, placeholder.clone()))
        });
        let varying = || VARYING.iter().find_map(|pattern| matched(pattern, line, at));
        match literal.or_else(varying) {
            Some((length, placeholder)) => {
                let style = &line[at].style;
                masked.extend(placeholder.chars().map(|symbol| Cell { symbol, style: style.clone() }));
                at += length;
            }
            None => {
                masked.push(line[at].clone());
                at += 1;
            }
        }
    }
    masked
}

/// How many cells a pattern matches at `at`, and their replacement. It matches only whole words and numbers.
fn matched(pattern: &str, line: &[Cell], at: usize) -> Option<(usize, String)> {
    let symbol = |index: usize| line.get(index).map(|cell| cell.symbol);
    let in_word = |symbol: Option<char>| symbol.is_some_and(|symbol| symbol.is_ascii_alphanumeric());
    if in_word(pattern.chars().next()) && at.checked_sub(1).is_some_and(|before| in_word(symbol(before))) {
        return None;
    }
    let mut end = at;
    for expected in pattern.chars() {
        let found = symbol(end)?;
        let fits = match expected {
            '#' | '*' => found.is_ascii_digit(),
            '~' => found.is_ascii_alphanumeric() || "-_".contains(found),
            '&' => found.is_ascii_hexdigit(),
            '@' => CODE_LETTERS.contains(found),
            _ => found == expected,
        };
        if !fits {
            return None;
        }
        end += 1;
        while expected == '*' && symbol(end).is_some_and(|digit| digit.is_ascii_digit()) {
            end += 1;
        }
    }
    (!in_word(symbol(end))).then(|| (end - at, pattern.to_owned()))
}
