//! The levels of a search: kept in memory, or in files from which a killed run goes on.
//!
//! A level's file holds one worker's part of it. Its first line is JSON ([`Header`]), its second the checksum of the first
//! in hexadecimal, the rest are the states as little-endian words, whose checksum is in the header. Both are checked
//! before anything that they cover is believed. A file is written under another name and renamed, so that a level is
//! there whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::word::Word;

/// The version of the files' format.
const FORMAT: u32 = 2;
/// The version whose header has no checksum.
const FORMAT_UNCHECKED: u32 = 1;
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Length of a checksum's line, its end included.
const CHECKSUM_LINE_BYTES: usize = 17;
/// Number of states that are read at a time.
const READ_STATES: usize = 1 << 12;

/// The place where a search keeps its levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The directory; it is made if it is not there.
    pub dir: PathBuf,
    /// Go on from the levels that are there, instead of refusing to overwrite them.
    pub resume: bool,
}

/// A reason why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system refused.
    #[error("cannot use the checkpoint file `{path}`: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The file is not what this program wrote.
    #[error("the checkpoint file `{path}` is corrupt ({why}): remove it and resume from the level before")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Sign of the damage.
        why: String,
    },
    /// The file was written by another version of this program.
    #[error(
        "the checkpoint file `{path}` has format {found}, and this program reads {FORMAT} alone: \
         start anew in another directory, or resume with the program that wrote it"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
    },
    /// The checkpoint is of another run.
    #[error("the checkpoint in `{dir}` is of `{found}`, not of `{wanted}`: take another directory")]
    Other {
        /// The directory.
        dir: PathBuf,
        /// The run that it is of.
        found: String,
        /// The run that was to go on from it.
        wanted: String,
    },
    /// The directory holds a checkpoint, which would be overwritten.
    #[error("`{dir}` already holds a checkpoint: resume it, or take another directory")]
    Occupied {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory holds no checkpoint to go on from.
    #[error("`{dir}` holds no checkpoint to resume")]
    Nothing {
        /// The directory.
        dir: PathBuf,
    },
}

/// The first line of a level's file. `T` is what the search counts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<T> {
    format: u32,
    run: String,
    level: u32,
    part: usize,
    parts: usize,
    states: u64,
    word_bytes: u32,
    /// The checksum of the states, in hexadecimal.
    checksum: String,
    counted: T,
}

/// The part of a header that every format has.
#[derive(Deserialize)]
struct Formatted {
    format: u32,
}

/// One worker's part of each level.
pub(crate) struct Levels<W> {
    place: LevelStore<W>,
    run: String,
    part: usize,
    parts: usize,
}

enum LevelStore<W> {
    Memory(Vec<Rc<Vec<W>>>),
    Files(PathBuf),
}

impl<W: Word> Levels<W> {
    /// The levels of the run described by `run`, of which this worker holds one of `parts` parts.
    pub(crate) fn open(
        checkpoint: Option<&Checkpoint>,
        run: String,
        part: usize,
        parts: usize,
    ) -> Result<Self, CheckpointError> {
        let place = match checkpoint {
            None => LevelStore::Memory(Vec::new()),
            Some(checkpoint) => {
                fs::create_dir_all(&checkpoint.dir).map_err(|source| io_error(&checkpoint.dir, source))?;
                LevelStore::Files(checkpoint.dir.clone())
            }
        };
        let levels = Self {
            place,
            run,
            part,
            parts,
        };
        if let LevelStore::Files(dir) = &levels.place
            && checkpoint.is_some_and(|checkpoint| !checkpoint.resume)
            && levels.path(dir, 0).exists()
        {
            return Err(CheckpointError::Occupied { dir: dir.clone() });
        }
        Ok(levels)
    }

    /// Returns the number of levels that are there without a gap, from the first.
    pub(crate) fn whole(&self) -> u32 {
        match &self.place {
            LevelStore::Memory(levels) => u32::try_from(levels.len()).expect("levels are few"),
            LevelStore::Files(dir) => {
                let there = (0..).take_while(|level| self.path(dir, *level).exists());
                u32::try_from(there.count()).expect("levels are few")
            }
        }
    }

    /// Bytes of memory that the levels take.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.place {
            LevelStore::Memory(levels) => levels.iter().map(|level| size_of_val(level.as_slice()) as u64).sum(),
            LevelStore::Files(_) => 0,
        }
    }

    /// Returns whether the levels are kept in memory.
    pub(crate) fn holds_memory(&self) -> bool {
        matches!(self.place, LevelStore::Memory(_))
    }

    /// The error for a level whose states are not what they should be.
    pub(crate) fn corrupt(&self, level: u32, why: &str) -> CheckpointError {
        let path = match &self.place {
            LevelStore::Memory(_) => PathBuf::new(),
            LevelStore::Files(dir) => self.path(dir, level),
        };
        CheckpointError::Corrupt {
            path,
            why: why.to_owned(),
        }
    }

    /// Keeps `states` as the level of this number, with what was counted when it was complete.
    pub(crate) fn keep<T: Serialize>(
        &mut self,
        level: u32,
        states: &Rc<Vec<W>>,
        counted: &T,
    ) -> Result<(), CheckpointError> {
        let path = match &mut self.place {
            LevelStore::Memory(levels) => {
                assert_eq!(levels.len(), level as usize, "levels are kept in order");
                levels.push(Rc::clone(states));
                return Ok(());
            }
            LevelStore::Files(dir) => dir.clone(),
        };
        let path = self.path(&path, level);
        let header = Header {
            format: FORMAT,
            run: self.run.clone(),
            level,
            part: self.part,
            parts: self.parts,
            states: states.len() as u64,
            word_bytes: W::BITS / u8::BITS,
            checksum: hexadecimal(states.iter().fold(CHECKSUM_START, |sum, state| checksum(sum, *state))),
            counted,
        };
        let mut header = serde_json::to_string(&header).expect("a header is plain data");
        header.push('\n');
        write(&path, &header, states).map_err(|source| io_error(&path, source))
    }

    /// Calls `visit` with the states of a level, and returns what was counted where the level comes from a file.
    pub(crate) fn visit<T: for<'de> Deserialize<'de>>(
        &self,
        level: u32,
        mut visit: impl FnMut(&[W]),
    ) -> Result<Option<T>, CheckpointError> {
        match &self.place {
            LevelStore::Memory(levels) => {
                visit(&levels[level as usize]);
                Ok(None)
            }
            LevelStore::Files(dir) => self.read(dir, level, visit).map(Some),
        }
    }

    fn read<T: for<'de> Deserialize<'de>>(
        &self,
        dir: &Path,
        level: u32,
        mut visit: impl FnMut(&[W]),
    ) -> Result<T, CheckpointError> {
        let path = self.path(dir, level);
        let failed = |source| io_error(&path, source);
        let corrupt = |why: &str| CheckpointError::Corrupt {
            path: path.clone(),
            why: why.to_owned(),
        };
        let mut reader = BufReader::new(File::open(&path).map_err(failed)?);
        let header: Header<T> = self.header(dir, &path, &mut reader)?;
        let (found, wanted) = (
            (header.level, header.part, header.word_bytes),
            (level, self.part, W::BITS / u8::BITS),
        );
        if found != wanted {
            return Err(corrupt("it belongs to another place"));
        }
        let states_start = reader.stream_position().map_err(failed)?;
        let mut sum = CHECKSUM_START;
        each_chunk(&mut reader, header.states, |states: &[W]| {
            sum = states.iter().fold(sum, |sum, state| checksum(sum, *state));
        })
        .map_err(|error| corrupt(&error.to_string()))?;
        if hexadecimal(sum) != header.checksum {
            return Err(corrupt("its checksum differs"));
        }
        if !reader.fill_buf().map_err(failed)?.is_empty() {
            return Err(corrupt("it goes on behind its end"));
        }
        // Damaged words may be no states at all, so the states are handed over only now that they are known to be whole.
        reader.seek(io::SeekFrom::Start(states_start)).map_err(failed)?;
        each_chunk(&mut reader, header.states, &mut visit).map_err(failed)?;
        Ok(header.counted)
    }

    /// Reads the header of a file of this run, and leaves the reader at the first state.
    fn header<T: for<'de> Deserialize<'de>>(
        &self,
        dir: &Path,
        path: &Path,
        reader: &mut impl BufRead,
    ) -> Result<Header<T>, CheckpointError> {
        let failed = |source| io_error(path, source);
        let corrupt = |why: &str| CheckpointError::Corrupt {
            path: path.to_owned(),
            why: why.to_owned(),
        };
        let of_format = |found| CheckpointError::Format {
            path: path.to_owned(),
            found,
        };
        let mut line = Vec::new();
        let limited = reader.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut line);
        limited.map_err(failed)?;
        let mut checked = Vec::new();
        let limited = reader
            .by_ref()
            .take(CHECKSUM_LINE_BYTES as u64)
            .read_to_end(&mut checked);
        limited.map_err(failed)?;
        let format = serde_json::from_slice(&line).map(|Formatted { format }| format);
        if checksum_line(&line).as_bytes() != checked {
            return Err(match format {
                Ok(FORMAT_UNCHECKED) => of_format(FORMAT_UNCHECKED),
                _ => corrupt("the checksum of its header differs"),
            });
        }
        match format {
            Ok(FORMAT) => {}
            Ok(other) => return Err(of_format(other)),
            Err(error) => return Err(corrupt(&error.to_string())),
        }
        let header: Header<T> = serde_json::from_slice(&line).map_err(|error| corrupt(&error.to_string()))?;
        if header.run != self.run || header.parts != self.parts {
            let name = |run: &str, parts: usize| format!("{run}, {parts} workers");
            return Err(CheckpointError::Other {
                dir: dir.to_owned(),
                found: name(&header.run, header.parts),
                wanted: name(&self.run, self.parts),
            });
        }
        Ok(header)
    }

    fn path(&self, dir: &Path, level: u32) -> PathBuf {
        dir.join(format!("level-{level:04}.part-{:03}", self.part))
    }
}

fn io_error(path: &Path, source: io::Error) -> CheckpointError {
    CheckpointError::Io {
        path: path.to_owned(),
        source,
    }
}

fn write<W: Word>(path: &Path, header: &str, states: &[W]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let mut writer = BufWriter::new(File::create(&unfinished)?);
    writer.write_all(header.as_bytes())?;
    writer.write_all(checksum_line(header.as_bytes()).as_bytes())?;
    let bytes = (W::BITS / u8::BITS) as usize;
    for state in states {
        writer.write_all(&state.wide().to_le_bytes()[..bytes])?;
    }
    writer.into_inner()?.sync_all()?;
    fs::rename(unfinished, path)
}

/// Reads so many states, and calls `visit` with a few at a time.
fn each_chunk<W: Word>(reader: &mut impl Read, states: u64, mut visit: impl FnMut(&[W])) -> io::Result<()> {
    let mut left = states;
    while left > 0 {
        let chunk = read_words(reader, left)?;
        left -= chunk.len() as u64;
        visit(&chunk);
    }
    Ok(())
}

fn read_words<W: Word>(reader: &mut impl Read, left: u64) -> io::Result<Vec<W>> {
    let bytes = (W::BITS / u8::BITS) as usize;
    let count = usize::try_from(left).unwrap_or(READ_STATES).min(READ_STATES);
    let mut buffer = vec![0; count * bytes];
    reader.read_exact(&mut buffer)?;
    let words = buffer.chunks_exact(bytes).map(|word| {
        let mut wide = [0; size_of::<u128>()];
        wide[..bytes].copy_from_slice(word);
        W::from_wide(u128::from_le_bytes(wide))
    });
    Ok(words.collect())
}

const CHECKSUM_START: u64 = 0xcbf2_9ce4_8422_2325;

/// The line that follows a header, itself a line with its end.
fn checksum_line(header: &[u8]) -> String {
    let sum = header
        .iter()
        .fold(CHECKSUM_START, |sum, byte| checksum(sum, u64::from(*byte)));
    format!("{}\n", hexadecimal(sum))
}

fn hexadecimal(sum: u64) -> String {
    format!("{sum:016x}")
}

/// Returns the checksum of some states and `state` behind them, given the checksum `sum` of the former. A change of one
/// state always changes it.
fn checksum<W: Word>(sum: u64, state: W) -> u64 {
    let mixed = (state.low() ^ (state.wide() >> 64).low()).scramble(64);
    (sum.rotate_left(5) ^ mixed).wrapping_mul(0x0000_0100_0000_01b3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_of_any_length_is_read_as_it_was_kept() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let checkpoint = Checkpoint {
            dir: dir.path().to_owned(),
            resume: true,
        };
        let mut levels = Levels::open(Some(&checkpoint), "run".to_owned(), 0, 1).expect("it is empty");
        let lengths = [0, 1, READ_STATES - 1, READ_STATES, READ_STATES + 1, 2 * READ_STATES + 1];
        for (level, length) in (0..).zip(lengths) {
            let states: Vec<u64> = (0..length as u64).map(|state| state.scramble(64)).collect();
            let states = Rc::new(states);
            levels.keep(level, &states, &length).expect("it can be written");
            let mut read = Vec::new();
            let counted = levels.visit(level, |part| read.extend_from_slice(part));
            assert_eq!(counted.expect("it can be read"), Some(length));
            assert!(read == *states, "{length} states");
        }
    }
}
