//! Sentences on a terminal: broken between words, so that the terminal does not break them within.

use std::io::IsTerminal;

/// How wide the terminal behind `stream` is; `None` where there is none, or it does not say.
#[cfg(unix)]
pub(crate) fn columns(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    let size = stream.is_terminal().then(|| terminal_size::terminal_size_of(stream)).flatten();
    size.map(|(width, _)| usize::from(width.0))
}

/// How wide the terminal behind `stream` is; `None` where there is none, or it does not say.
#[cfg(windows)]
pub(crate) fn columns(stream: &(impl IsTerminal + std::os::windows::io::AsHandle)) -> Option<usize> {
    let size = stream.is_terminal().then(|| terminal_size::terminal_size_of(stream)).flatten();
    size.map(|(width, _)| usize::from(width.0))
}

/// `text` in lines of at most `columns`, those after the first of a paragraph `indent` blanks to the right. A word that is
/// longer is left whole: it may be an address or a path. Without columns nothing is broken.
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

/// A blank at which nothing is broken.
const NO_BREAK: &str = "\u{a0}";

/// `line` with the command that it may end with as one word: somebody is going to copy it.
fn with_whole_command(line: &str) -> String {
    match [": kubectl ", ": kubectl-login ", ": ./install.sh ", ": az ", ": chmod "]
        .iter()
        .find_map(|start| line.find(start))
    {
        Some(at) => format!("{}: {}", &line[..at], line[at + 2..].replace(' ', NO_BREAK)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_paragraphs_apart() {
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
}
