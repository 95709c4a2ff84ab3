//! Wraps sentences between words, so that the terminal does not break them within words.

use std::io::IsTerminal;

/// The width of the terminal behind `stream`; `None` if it is not a terminal, or its size is not known.
#[cfg(unix)]
pub(crate) fn columns(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    let size = stream.is_terminal().then(|| terminal_size::terminal_size_of(stream)).flatten();
    size.map(|(width, _)| usize::from(width.0))
}

/// The width of the terminal behind `stream`; `None` if it is not a terminal, or its size is not known.
#[cfg(windows)]
pub(crate) fn columns(stream: &(impl IsTerminal + std::os::windows::io::AsHandle)) -> Option<usize> {
    let size = stream.is_terminal().then(|| terminal_size::terminal_size_of(stream)).flatten();
    size.map(|(width, _)| usize::from(width.0))
}

/// `text` in lines of at most `columns`; those after the first of a paragraph are indented by `indent` spaces. A longer word
/// is left whole: it may be an address or a path. Without columns nothing is wrapped.
pub(crate) fn wrapped(text: &str, indent: usize, columns: Option<usize>) -> String {
    let Some(columns) = columns.filter(|columns| *columns > 2 * indent + 20) else { return text.to_owned() };
    let blanks = " ".repeat(indent);
    let options = textwrap::Options::new(columns)
        .subsequent_indent(&blanks)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
        .word_separator(textwrap::WordSeparator::AsciiSpace);
    let broken = |line: &str| textwrap::wrap(&with_whole_command(line), &options).join("\n");
    text.split('\n').map(broken).collect::<Vec<_>>().join("\n").replace(NO_BREAK, " ")
}

/// A space at which no line is wrapped.
const NO_BREAK: &str = "\u{a0}";

/// The programs of the commands at the end of messages.
const PROGRAMS: [&str; 10] =
    ["kubectl", "kubectl-login", "./install.sh", "az", "chmod", "sudo", "df", "findmnt", "ulimit", "apt-get"];

/// `line` with the command at its end, if any, as one word, so that it can be copied whole.
fn with_whole_command(line: &str) -> String {
    let is_command = |at: &usize| {
        let program = line[at + 2..].split(' ').next().unwrap_or_default();
        // A sentence about kubectl may follow the label of an error.
        PROGRAMS.contains(&program) && !["Error", "Warning"].contains(&&line[..*at])
    };
    match line.match_indices(": ").map(|(at, _)| at).find(is_command) {
        Some(at) => format!("{}: {}", &line[..at], line[at + 2..].replace(' ', NO_BREAK)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_paragraphs_separate() {
        let text =
            "Next:  Check the network, then try again.\nhttps://issuer.example/a/very/long/address/that/stays/whole";
        assert_eq!(
            wrapped(text, 7, Some(36)),
            "Next:  Check the network, then try\n       again.\nhttps://issuer.example/a/very/long/address/that/stays/whole"
        );
        assert_eq!(wrapped(text, 7, None), text);
        assert_eq!(wrapped("a\n", 0, Some(80)), "a\n");
        assert_eq!(
            wrapped("To sign in somewhere else: kubectl login CONTEXT", 7, Some(40)),
            "To sign in somewhere else:\n       kubectl login CONTEXT"
        );
    }

    #[test]
    fn commands_stay_whole() {
        for command in ["sudo chown -R 1001 /home/alice/state", "df -h /home/alice/state", "findmnt -T /home/alice"] {
            let text = format!("Mend owner and permissions: {command}");
            assert_eq!(wrapped(&text, 7, Some(40)), format!("Mend owner and permissions:\n       {command}"));
        }
    }

    #[test]
    fn sentence_about_kubectl_after_a_label_is_wrapped() {
        assert_eq!(
            wrapped("Warning: kubectl refuses the user \"alice\": it has both", 9, Some(40)),
            "Warning: kubectl refuses the user\n         \"alice\": it has both"
        );
    }
}
