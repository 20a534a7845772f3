//! The operations that protocols call.

use std::sync::Arc;

use model::{Caller, Problem, ResourceIndex, Value};
use rules::{Gate, plan::Written, query::Query};

use crate::{Engine, cursor, input::Input, output};

/// A record by its resource and id, as they stand in a path.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The resource's name.
    pub resource: &'a str,
    /// The record's id.
    pub id: &'a str,
}

/// One record, encoded.
#[derive(Debug)]
pub struct Answer {
    /// A JSON object.
    pub body: Vec<u8>,
    /// Its entity tag.
    pub tag: String,
    /// The id, as it stands in a path.
    pub id: String,
    /// Whether the record is new.
    pub created: bool,
}

/// A list as it is asked for.
#[derive(Debug, Default)]
pub struct ListRequest {
    /// Filter, order, page.
    pub query: Query,
    /// The cursor of the page before.
    pub cursor: Option<String>,
}

/// A page, encoded.
#[derive(Debug)]
pub struct ListAnswer {
    /// A JSON object: `items`, `next`, perhaps `count`.
    pub body: Vec<u8>,
    /// Its entity tag.
    pub tag: String,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Engine {
    /// One record.
    ///
    /// # Errors
    /// 404 where there is none that the caller may read; 400 for a field that it may not name.
    pub async fn get(&self, caller: Caller, target: Target<'_>, mut query: Query) -> Result<Answer, Problem> {
        let gate = self.gate.load();
        let resource = Self::resource(&gate, target.resource)?;
        let id = parse_id(&gate, resource, target.id)?;
        query.form.single = true;
        query.page.limit = 1;
        let expands = !query.form.expand.is_empty();
        let read = gate.read(caller, resource, query)?;
        let found = self.store.get(&read, &id).await?.ok_or_else(Problem::not_found)?;
        let tag = match expands {
            // Other records speak in it, too.
            true => output::entity_tag(found.revision, output::digest(&found.body), 0),
            false => output::entity_tag(found.revision, read.get().plan.fingerprint, found.mask),
        };
        Ok(Answer { body: found.body, tag, id: store::id_text(&id), created: false })
    }

    /// A page of the records that a query names and the caller may read.
    ///
    /// # Errors
    /// 404 for an unknown resource, 400 for a query that can't be.
    pub async fn list(&self, caller: Caller, resource: &str, request: ListRequest) -> Result<ListAnswer, Problem> {
        let gate = self.gate.load();
        let index = Self::resource(&gate, resource)?;
        let ListRequest { mut query, cursor } = request;
        let tie = cursor::tie(resource, &query);
        if let Some(cursor) = cursor {
            let keys = cursor::open(&cursor, tie)?;
            let nulls = keys.iter().enumerate().filter(|(_, key)| key.is_none());
            query.form.after = Some(nulls.fold(0, |mask, (position, _)| mask | 1 << position));
            query.after = Some(keys);
        }
        let read = gate.read(caller, index, query)?;
        let listed = self.store.list(&read).await?;
        let next = listed.next.map(|keys| cursor::write(tie, &keys));
        let mut body = Vec::with_capacity(listed.items.len() + 128);
        body.extend_from_slice(b"{\"items\":[");
        body.extend_from_slice(&listed.items);
        body.extend_from_slice(b"],\"next\":");
        match &next {
            Some(cursor) => model::json::write_string(cursor, &mut body),
            None => body.extend_from_slice(b"null"),
        }
        if let Some(count) = listed.count {
            body.extend_from_slice(format!(",\"count\":{count}").as_bytes());
        }
        body.push(b'}');
        let tag = format!("\"{:x}\"", output::digest(&body));
        Ok(ListAnswer { body, tag, next })
    }

    pub(crate) fn input<'a>(
        &'a self,
        gate: &'a Arc<Gate>,
        resource: ResourceIndex,
        caller: &'a Caller,
        loading: bool,
    ) -> Input<'a> {
        Input { catalog: gate.catalog(), resource, caller, clock: &*self.clock, loading }
    }
}

/// What a write came to, encoded for its writer.
pub(crate) fn answer_of(one: &Written) -> Answer {
    let mut body = Vec::with_capacity(256);
    output::write(one, &mut body);
    let tag = output::entity_tag(one.record.revision, one.plan.fingerprint, output::mask(one));
    let created = one.action == model::Action::Created;
    Answer { body, tag, id: store::id_text(one.record.id()), created }
}

/// The id of a path; what can't be one names no record.
pub(crate) fn parse_id(gate: &Gate, resource: ResourceIndex, text: &str) -> Result<Value, Problem> {
    model::parse_id(gate.catalog().schema.get(resource).id_kind, text).ok_or_else(Problem::not_found)
}
