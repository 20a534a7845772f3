//! A read with expansions: the records first, then what is expanded in them, level by level, in one transaction.

use model::Problem;
use rules::plan::Read;
use sql::{
    Facts, Page,
    tree::{Question, Refused, Tree},
};
use store::{Found, Listed};
use tokio_postgres::{Error, Row};

use super::{Cells, ReadStatements, listed, page};
use crate::connection::{Rounds, Step};

/// What has been read so far.
pub(super) struct Growing<'a, F> {
    made: &'a ReadStatements,
    read: &'a Read,
    first: F,
    /// Whether it is a list that is read, or one record.
    is_list: bool,
    questions: Vec<Question>,
    records: Records<'a>,
    too_much: bool,
}

enum Records<'a> {
    None,
    One(Tree<'a>, Found),
    Page(Page<'a>, Option<u64>),
}

impl<'a, F> Growing<'a, F> {
    /// Begins with the steps that read the records themselves.
    pub(super) fn new(made: &'a ReadStatements, read: &'a Read, is_list: bool, first: F) -> Self {
        Self { made, read, first, is_list, questions: Vec::new(), records: Records::None, too_much: false }
    }

    pub(super) fn into_found(self) -> Result<Option<Found>, Problem> {
        match self.records {
            _ if self.too_much => Err(store::expands_too_much()),
            Records::One(tree, mut found) => match tree.write(0, &mut found.body) {
                Ok(()) => Ok(Some(found)),
                Err(_) => Err(store::expands_too_much()),
            },
            _ => Ok(None),
        }
    }

    pub(super) fn into_listed(self) -> Result<Listed, Problem> {
        match self.records {
            _ if self.too_much => Err(store::expands_too_much()),
            Records::Page(page, count) => {
                page.finish().map(|page| listed((page, count))).map_err(|_| store::expands_too_much())
            }
            _ => Ok(Listed::default()),
        }
    }

    /// Reads the records themselves.
    fn take_records(&mut self, results: &[Vec<Row>]) -> Result<(), Error> {
        let layout = &self.made.layout;
        if self.is_list {
            let (page, count) = page(layout, results, self.read)?;
            self.records = Records::Page(page, count);
        } else if let Some(row) = results.first().and_then(|rows| rows.first()) {
            let mut tree = Tree::new(layout);
            let mask = tree.take(&Cells(row))?;
            self.records =
                Records::One(tree, Found { body: Vec::new(), revision: row.try_get(layout.revision)?, mask });
        }
        Ok(())
    }

    fn tree(&mut self) -> Option<&mut Tree<'a>> {
        match &mut self.records {
            Records::None => None,
            Records::One(tree, _) => Some(tree),
            Records::Page(page, _) => page.tree.as_mut(),
        }
    }

    fn take_answers(&mut self, results: &[Vec<Row>]) -> Result<(), Error> {
        let questions = std::mem::take(&mut self.questions);
        let Some(tree) = self.tree() else { return Ok(()) };
        for (question, rows) in questions.iter().zip(results) {
            for row in rows {
                match tree.answer(question, &Cells(row)) {
                    Ok(()) => {}
                    Err(Refused::Row(error)) => return Err(error),
                    Err(Refused::TooMuch) => {
                        self.too_much = true;
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }
}

impl<'a, F: Fn() -> Vec<Step<'a>> + Send> Rounds<'a> for Growing<'a, F> {
    fn begin(&mut self) -> Vec<Step<'a>> {
        self.questions = Vec::new();
        self.records = Records::None;
        (self.first)()
    }

    fn go_on(&mut self, results: &[Vec<Row>]) -> Result<Vec<Step<'a>>, Error> {
        match self.records {
            Records::None => self.take_records(results)?,
            _ => self.take_answers(results)?,
        }
        if self.too_much {
            return Ok(Vec::new());
        }
        self.questions = self.tree().map(Tree::questions).unwrap_or_default();
        let facts = Facts::of_read(self.read);
        let made = self.made;
        let steps = self.questions.iter().map(|question| {
            let statement = &made.expands[question.statement];
            Step { text: statement.text(), values: statement.values(&question.own, &facts) }
        });
        Ok(steps.collect())
    }
}
