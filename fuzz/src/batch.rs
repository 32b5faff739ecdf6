//! Cases in a process of their own: a line before each, so that the parent knows which one ended the process, and one
//! after it.

use crate::case::{Choice, Engines, Verdict, judge};
use crate::moves::{self, Moves};
use crate::profile::Profile;
use std::fmt;
use std::io::Write;
use std::str::FromStr;

/// What a batch tells its parent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// This seed is next.
    Begin(u64),
    /// Its module ended so; `None` when it has none.
    End(Option<Verdict>),
    /// So many moves between tiers happened meanwhile.
    Moved(Moves),
}

/// Runs `count` seeds from `start` on with the engines of `choice`, reporting on standard output.
///
/// # Errors
/// When nobody listens any more.
pub fn run(profile: &Profile, start: u64, count: u64, choice: Choice) -> std::io::Result<()> {
    moves::listen();
    let engines = Engines::new();
    let mut out = std::io::stdout().lock();
    let mut told = Moves::default();
    for seed in start..start + count {
        writeln!(out, "{}", Report::Begin(seed))?;
        out.flush()?;
        let verdict = (profile.generate)(seed).map(|generated| judge(&engines, &generated, seed, choice));
        writeln!(out, "{}", Report::End(verdict))?;
        let moves = Moves::so_far();
        writeln!(out, "{}", Report::Moved(moves - told))?;
        told = moves;
    }
    out.flush()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tag, text) = match self {
            Self::Begin(seed) => return write!(f, "begin {seed}"),
            Self::Moved(moves) => return write!(f, "moved {moves}"),
            Self::End(None) => ("none", ""),
            Self::End(Some(Verdict::Same)) => ("same", ""),
            Self::End(Some(Verdict::Poisoned)) => ("poisoned", ""),
            Self::End(Some(Verdict::Refused)) => ("refused", ""),
            Self::End(Some(Verdict::Witness(text))) => ("witness", text.as_str()),
            Self::End(Some(Verdict::Find(text))) => ("find", text.as_str()),
        };
        write!(f, "{tag} {}", text.replace('\n', " "))
    }
}

impl FromStr for Report {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (tag, text) = line.split_once(' ').ok_or(())?;
        Ok(match tag {
            "begin" => Self::Begin(text.parse().map_err(|_| ())?),
            "moved" => Self::Moved(text.parse()?),
            "none" => Self::End(None),
            "same" => Self::End(Some(Verdict::Same)),
            "poisoned" => Self::End(Some(Verdict::Poisoned)),
            "refused" => Self::End(Some(Verdict::Refused)),
            "witness" => Self::End(Some(Verdict::Witness(text.to_string()))),
            "find" => Self::End(Some(Verdict::Find(text.to_string()))),
            _ => return Err(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_go_there_and_back() {
        let reports = [
            Report::Begin(7),
            Report::End(None),
            Report::End(Some(Verdict::Same)),
            Report::End(Some(Verdict::Poisoned)),
            Report::End(Some(Verdict::Refused)),
            Report::End(Some(Verdict::Witness("x: 1 and 2".to_string()))),
            Report::End(Some(Verdict::Find("y".to_string()))),
            Report::Moved(Moves { functions: 1, loops: 2, refused: 3 }),
        ];
        for report in reports {
            assert_eq!(report.to_string().parse(), Ok(report));
        }
    }
}
