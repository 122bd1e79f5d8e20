//! The query language.

use thiserror::Error;

/// The longest query, in bytes.
const MAX_BYTES: usize = 512;

/// What nodes are searched for.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub(super) terms: Vec<Term>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) negated: bool,
    /// The beginning of a field's name as [`slug`]; empty for any.
    pub(super) field: String,
    pub(super) test: Test,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// Contains this, in lower case.
    Contains(String),
    /// A metric compares so.
    Compares(Comparison, f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Why a query does not parse.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at byte {at}: {reason}")]
pub struct ParseError {
    /// Where.
    pub at: usize,
    /// What is wrong.
    pub reason: &'static str,
}

impl Comparison {
    pub(super) fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Comparison::Less => value < limit,
            Comparison::LessOrEqual => value <= limit,
            Comparison::Greater => value > limit,
            Comparison::GreaterOrEqual => value >= limit,
        }
    }
}

impl Query {
    /// Parses a query. One without terms matches everything.
    ///
    /// # Errors
    /// If it is not in the language, or too long.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() > MAX_BYTES {
            return Err(ParseError {
                at: MAX_BYTES,
                reason: "the query is longer than 512 bytes",
            });
        }
        let mut parser = Parser { text, at: 0 };
        let mut terms = Vec::new();
        while parser.skip_blanks() {
            terms.push(parser.term()?);
        }
        Ok(Query { terms })
    }

    /// Whether it matches everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

/// Letters and digits only, in lower case.
pub(super) fn slug(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn fail<T>(&self, reason: &'static str) -> Result<T, ParseError> {
        Err(ParseError {
            at: self.at,
            reason,
        })
    }

    /// Whether anything follows.
    fn skip_blanks(&mut self) -> bool {
        self.at += self.rest().len() - self.rest().trim_start().len();
        !self.rest().is_empty()
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn term(&mut self) -> Result<Term, ParseError> {
        let negated = self.eat("-");
        let quoted = self.rest().starts_with('"');
        let word = self.word(true)?;
        if !quoted && self.eat(":") {
            return self.field_term(negated, word);
        }
        if let Some(comparison) = self.comparison() {
            let test = Test::Compares(comparison, self.number()?);
            let field = slug(&word);
            if field.is_empty() {
                return self.fail("a metric's name must come before the comparison");
            }
            return Ok(Term {
                negated,
                field,
                test,
            });
        }
        if word.is_empty() {
            return self.fail("there is nothing to search for");
        }
        Ok(Term {
            negated,
            field: String::new(),
            test: Test::Contains(word.to_lowercase()),
        })
    }

    fn field_term(&mut self, negated: bool, name: String) -> Result<Term, ParseError> {
        let field = slug(&name);
        if field.is_empty() {
            return self.fail("a field's name must come before the colon");
        }
        let text = self.word(false)?;
        if text.is_empty() {
            return self.fail("something must follow the colon");
        }
        Ok(Term {
            negated,
            field,
            test: Test::Contains(text.to_lowercase()),
        })
    }

    /// Up to a blank, or what is between quotes. The first word of a term ends at a colon or comparison, too.
    fn word(&mut self, first: bool) -> Result<String, ParseError> {
        if self.eat("\"") {
            let Some(end) = self.rest().find('"') else {
                self.at -= 1;
                return self.fail("this quote is not closed");
            };
            let word = &self.rest()[..end];
            self.at += end + 1;
            return Ok(word.to_owned());
        }
        let ends = |c: char| c.is_whitespace() || first && matches!(c, ':' | '<' | '>');
        let end = self.rest().find(ends).unwrap_or(self.rest().len());
        let word = &self.rest()[..end];
        self.at += end;
        Ok(word.to_owned())
    }

    /// A comparison, after blanks or not. If there is none, nothing is consumed.
    fn comparison(&mut self) -> Option<Comparison> {
        let before = self.at;
        self.skip_blanks();
        for (text, comparison) in [
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ] {
            if self.eat(text) {
                return Some(comparison);
            }
        }
        self.at = before;
        None
    }

    fn number(&mut self) -> Result<f64, ParseError> {
        self.skip_blanks();
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let Some(number) = rest[..end].parse::<f64>().ok() else {
            return self.fail("a number must follow the comparison");
        };
        self.at += end;
        let unit = self.word(false)?.to_lowercase();
        let power = match unit.as_str() {
            "" | "%" | "b" => 0,
            "k" | "kb" | "kib" => 1,
            "m" | "mb" | "mib" => 2,
            "g" | "gb" | "gib" => 3,
            "t" | "tb" | "tib" => 4,
            _ => return self.fail("the unit must be %, k, m, g or t"),
        };
        Ok(number * 1024_f64.powi(power))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &[(bool, &str, Test)]) {
        let query = Query::parse(text).expect(text);
        let want = want.iter().map(|(negated, field, test)| Term {
            negated: *negated,
            field: (*field).to_owned(),
            test: test.clone(),
        });
        assert_eq!(query.terms, want.collect::<Vec<_>>(), "{text}");
    }

    fn contains(text: &str) -> Test {
        Test::Contains(text.to_owned())
    }

    #[test]
    fn terms_are_separated_by_blanks() {
        check("", &[]);
        check("  ", &[]);
        check(
            "Nginx  web",
            &[(false, "", contains("nginx")), (false, "", contains("web"))],
        );
        check("\"two  words\"", &[(false, "", contains("two  words"))]);
        check("a-b", &[(false, "", contains("a-b"))]);
        check("key=value", &[(false, "", contains("key=value"))]);
    }

    #[test]
    fn fields_are_named_before_a_colon() {
        check("Image:nginx:1", &[(false, "image", contains("nginx:1"))]);
        check(
            "image_name:\"a b\"",
            &[(false, "imagename", contains("a b"))],
        );
        check("-state:Running", &[(true, "state", contains("running"))]);
        check("-\"a:b\"", &[(true, "", contains("a:b"))]);
    }

    #[test]
    fn metrics_are_compared() {
        let greater = |n| Test::Compares(Comparison::Greater, n);
        check("cpu > 50%", &[(false, "cpu", greater(50.0))]);
        check("cpu>0.5", &[(false, "cpu", greater(0.5))]);
        check("-cpu >1k", &[(true, "cpu", greater(1024.0))]);
        check(
            "memory <= 1.5GB x",
            &[
                (
                    false,
                    "memory",
                    Test::Compares(Comparison::LessOrEqual, 1.5 * 1024.0 * 1024.0 * 1024.0),
                ),
                (false, "", contains("x")),
            ],
        );
        check(
            "\"open files\" >= 10",
            &[(
                false,
                "openfiles",
                Test::Compares(Comparison::GreaterOrEqual, 10.0),
            )],
        );
    }

    #[test]
    fn errors_say_where() {
        let check = |text: &str, at: usize| {
            let error = Query::parse(text).expect_err(text);
            assert_eq!(error.at, at, "{text}: {error}");
        };
        check("-", 1);
        check("a -", 3);
        check("a \"b", 2);
        check("image:", 6);
        check(":x", 1);
        check("cpu >", 5);
        check("cpu > x", 6);
        check("> 5", 3);
        check("cpu > 5x", 8);
        check("cpu > 1-2", 6);
        check("\"\"", 2);
        check(&"x".repeat(513), 512);
    }
}
