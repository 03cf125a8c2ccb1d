//! The words of a dialect that say what cannot be judged of a router, or not in the usual way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The content of a derived structure of a router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StructureKind {
    /// Something of each row that is held, and of no other: its size is that of a fresh router of the same rows.
    #[default]
    Rows,
    /// Answers that may be there or not. Its size says nothing.
    Cache,
    /// Something of each event. It may grow for ever.
    Log,
}

/// The texts that a router can take as ids, or as names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The characters, singly or as ranges, such as `a-z0-9-`; a `-` at either end is itself.
    pub chars: String,
    /// The most characters of a text.
    pub max: u16,
}

impl Texts {
    /// Returns whether the router can take the text.
    pub fn take(&self, text: &str) -> bool {
        let ranges = self.ranges();
        let admitted = |one: char| ranges.iter().any(|(first, last)| (*first..=*last).contains(&one));
        (1..=usize::from(self.max)).contains(&text.chars().count()) && text.chars().all(admitted)
    }

    /// Returns whether the router can take a name in which `*` stands for other characters.
    pub fn take_pattern(&self, name: &str) -> bool {
        let literal = name.replace('*', "");
        name.chars().count() <= usize::from(self.max) && (literal.is_empty() || self.take(&literal))
    }

    /// Returns the text made of characters that the router takes, the same for the same text. Each `*` stays where
    /// `keep_stars`. Texts that differ may come out alike; those of another `variant` end in another way.
    pub fn fitted(&self, text: &str, keep_stars: bool, variant: usize) -> String {
        let chars: Vec<char> = self
            .ranges()
            .into_iter()
            .flat_map(|(first, last)| first..=last)
            .collect();
        let nth = |number: usize| chars.get(number % chars.len().max(1)).copied().unwrap_or_default();
        let fit = |one: char| {
            let stays = chars.contains(&one) || (keep_stars && one == '*');
            if stays { one } else { nth(one as usize) }
        };
        let mut ending = Vec::new();
        let mut rest = variant;
        while rest > 0 {
            ending.push(nth(rest - 1));
            rest = (rest - 1) / chars.len().max(1);
        }
        let room = usize::from(self.max).saturating_sub(ending.len());
        text.chars().map(fit).take(room).chain(ending).collect()
    }

    /// The first and the last character of each range, single characters included.
    fn ranges(&self) -> Vec<(char, char)> {
        let mut ranges = Vec::new();
        let mut rest = self.chars.chars();
        while let Some(first) = rest.next() {
            let mut ahead = rest.clone();
            match (ahead.next(), ahead.next()) {
                (Some('-'), Some(last)) => {
                    ranges.push((first, last));
                    rest = ahead;
                }
                _ => ranges.push((first, first)),
            }
        }
        ranges
    }

    /// Holds the description against itself.
    ///
    /// # Errors
    ///
    /// A sentence that says why no text, or too few, could be taken.
    pub fn check(&self) -> Result<(), String> {
        if let Some((first, last)) = self.ranges().into_iter().find(|(first, last)| first > last) {
            return Err(format!("the range `{first}-{last}` runs backwards"));
        }
        if self.chars.contains('*') {
            return Err("`*` stands for other characters in a name, and cannot be one of them".to_owned());
        }
        if self.chars.chars().any(char::is_control) || self.chars.is_empty() || self.max == 0 {
            return Err("no text has only those characters and that length".to_owned());
        }
        Ok(())
    }
}

/// The longest time that answers of a router may be out of date, in milliseconds.
pub const STALE_FOR_MS_MAX: u32 = 60_000;

/// The moment from which on a change shows in the answers of a router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Settles {
    /// As soon as the change has been replied to.
    #[default]
    AtOnce,
    /// After a signal of the router's own, for which the adapter waits before it replies to the change: never for the
    /// state that it expects.
    Signal,
    /// Within a stated time, before which nothing is judged.
    Within {
        /// The time within which a change shows, in milliseconds.
        stale_for: u32,
    },
}

impl Settles {
    /// The time to wait before a round is asked, in milliseconds.
    pub fn wait_ms(self) -> u32 {
        match self {
            Self::Within { stale_for } => stale_for,
            Self::AtOnce | Self::Signal => 0,
        }
    }
}

/// The place of the `*` in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PatternShape {
    /// The name is `*`.
    BareStar,
    /// One at the end, as in `openai/*`.
    SuffixStar,
    /// One at the start, as in `*-mini`.
    PrefixStar,
    /// One between other characters.
    InnerStar,
    /// More than one.
    SeveralStars,
}

impl PatternShape {
    /// Returns the shape of a name; none where it has no `*`.
    pub fn of(name: &str) -> Option<Self> {
        match name.matches('*').count() {
            0 => None,
            1 if name == "*" => Some(Self::BareStar),
            1 if name.ends_with('*') => Some(Self::SuffixStar),
            1 if name.starts_with('*') => Some(Self::PrefixStar),
            1 => Some(Self::InnerStar),
            _ => Some(Self::SeveralStars),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(chars: &str, max: u16) -> Texts {
        Texts {
            chars: chars.to_owned(),
            max,
        }
    }

    #[test]
    fn texts_are_taken_by_their_characters_and_length() {
        let slug = texts("a-z0-9-", 5);
        for (text, taken) in [
            ("abc", true),
            ("a-1", true),
            ("", false),
            ("abcdef", false),
            ("A", false),
            ("a*", false),
        ] {
            assert_eq!(slug.take(text), taken, "{text}");
        }
        assert!(slug.take_pattern("a*") && slug.take_pattern("*") && !slug.take_pattern("A*"));
        assert!(texts("-a", 9).take("a-a") && !texts("-a", 9).take("b"));
    }

    #[test]
    fn the_stars_of_a_pattern_count_to_its_length() {
        let slug = texts("a-z", 3);
        for (name, taken) in [
            ("ab*", true),
            ("***", true),
            ("abc*", false),
            ("****", false),
            ("*a*b", false),
        ] {
            assert_eq!(slug.take_pattern(name), taken, "{name}");
        }
    }

    #[test]
    fn any_text_can_be_made_one_that_is_taken() {
        let slug = texts("a-z0-9-", 8);
        for text in ["a", "openai/gpt-4o", "é", "(m)*", "A", "d10", ""] {
            for variant in [0, 1, 2, 37, 5_000] {
                let fitted = slug.fitted(text, false, variant);
                assert!(slug.take(&fitted) || fitted.is_empty(), "{text} {variant}: {fitted}");
            }
        }
        assert_eq!(slug.fitted("d10", false, 0), "d10");
        assert_eq!(slug.fitted("a*c", true, 0), "a*c");
        assert_ne!(slug.fitted("A", false, 0), slug.fitted("A", false, 1));
        assert_ne!(slug.fitted("A", false, 1), slug.fitted("A", false, 2));
    }

    #[test]
    fn texts_of_which_there_are_none_are_told() {
        for (chars, max) in [("z-a", 3), ("", 3), ("a", 0), ("a*", 3), ("\n", 3)] {
            assert!(texts(chars, max).check().is_err(), "{chars:?} {max}");
        }
        assert_eq!(texts("a-z", 1).check(), Ok(()));
    }

    #[test]
    fn each_pattern_has_a_shape() {
        use PatternShape::{BareStar, InnerStar, PrefixStar, SeveralStars, SuffixStar};
        for (name, shape) in [
            ("a", None),
            ("*", Some(BareStar)),
            ("a*", Some(SuffixStar)),
            ("*a", Some(PrefixStar)),
            ("a*b", Some(InnerStar)),
            ("**", Some(SeveralStars)),
            ("a*b*", Some(SeveralStars)),
        ] {
            assert_eq!(PatternShape::of(name), shape, "{name}");
        }
    }
}
