//! Resources as declared, and the schema that they make together.

use std::collections::HashMap;

use crate::{
    change::Keep,
    field::{Field, FieldIndex, Kind, Origin},
    identity::{IdentitySettings, Roles},
};

/// The place of a resource in [`Schema::resources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceIndex(pub u16);

/// All resources of an app, in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    resources: Vec<Resource>,
    by_name: HashMap<String, ResourceIndex>,
    reverse: Vec<Vec<ReverseRelation>>,
    roles: Roles,
}

/// A resource: a name, its fields in the order of the answer (`id` first), rules, indexes.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The file's name without its ending, as in `/api/{name}`.
    pub name: String,
    /// How its records are named.
    pub id_kind: IdKind,
    /// `id`, the declared fields in the order of the file, `created_at`, `updated_at`.
    pub fields: Vec<Field>,
    /// The `[access]` table.
    pub access: Access,
    /// The `[validate]` table: message and CEL text.
    pub validate: Vec<Validation>,
    /// The `[indexes]` table.
    pub indexes: Vec<Index>,
    /// `[events] keep`.
    pub keep: Keep,
    /// `doc`, for readers of the OpenAPI document.
    pub doc: Option<String>,
    /// The `[auth]` table: its records are the people who sign in.
    pub identity: Option<Box<IdentitySettings>>,
}

/// How the records of a resource are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// A UUID, version 7 where the server makes it.
    Uuid,
    /// A serial number from 1, given by the server.
    Integer,
    /// A string that the client gives: 1–128 of `A–Z a–z 0–9 _ ~ . -`, not beginning with a dot.
    String,
}

/// The four access rules; one that is absent admits administrators only.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Who sees a record.
    pub read: Option<String>,
    /// Who may create `new`.
    pub create: Option<String>,
    /// Who may turn `record` into `new`.
    pub update: Option<String>,
    /// Who may delete `record`.
    pub delete: Option<String>,
}

/// A whole-record rule and what a writer is told who breaks it.
#[derive(Debug, Clone)]
pub struct Validation {
    /// The text that the writer reads.
    pub message: String,
    /// CEL over `new`, `record`, `auth`, `now`.
    pub rule: String,
}

/// An index over one or more fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The key in `[indexes]`.
    pub name: String,
    /// The fields, in order; true for a descending one.
    pub columns: Vec<(FieldIndex, bool)>,
    /// Whether no two records may agree in all of them.
    pub unique: bool,
    /// The name it had before (`renamed_from`), if any.
    pub renamed_from: Option<String>,
}

/// A resource that refers to this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverseRelation {
    /// Every name by which it is known: `inverse`, `comments_by_post`, and `comments` where unambiguous and free.
    pub names: Vec<String>,
    /// The referring resource.
    pub resource: ResourceIndex,
    /// Its reference field.
    pub field: FieldIndex,
}

impl Schema {
    /// Puts resources into the order of their names and links them. `Kind::Reference::to` of every field must already
    /// be the index in name order.
    #[must_use]
    pub fn new(resources: Vec<Resource>) -> Self {
        let by_name = resources
            .iter()
            .enumerate()
            .map(|(position, resource)| (resource.name.clone(), ResourceIndex(position as u16)))
            .collect();
        let mut schema = Self { resources, by_name, reverse: Vec::new(), roles: Roles::default() };
        schema.reverse = schema.indices().map(|target| schema.link_reverse(target)).collect();
        schema
    }

    /// The same with roles that include others.
    #[must_use]
    pub fn with_roles(self, roles: Roles) -> Self {
        Self { roles, ..self }
    }

    /// What roles include.
    #[must_use]
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    fn link_reverse(&self, target: ResourceIndex) -> Vec<ReverseRelation> {
        let own = self.get(target);
        let mut relations = Vec::new();
        for resource in self.indices() {
            let referring = self.get(resource);
            let fields: Vec<_> = referring
                .fields
                .iter()
                .enumerate()
                .filter(|(_, field)| matches!(field.kind, Kind::Reference { to, .. } if to == target))
                .collect();
            for (position, field) in &fields {
                let mut names = Vec::new();
                if let Kind::Reference { inverse: Some(inverse), .. } = &field.kind {
                    names.push(inverse.clone());
                }
                names.push(format!("{}_by_{}", referring.name, field.name));
                if fields.len() == 1 {
                    names.push(referring.name.clone());
                }
                // A field of that name hides the relation.
                names.retain(|name| own.field(name).is_none());
                relations.push(ReverseRelation { names, resource, field: FieldIndex(*position as u16) });
            }
        }
        relations
    }

    /// All resources, in the order of their names.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// Every index, in order.
    pub fn indices(&self) -> impl Iterator<Item = ResourceIndex> + use<> {
        (0..self.resources.len() as u16).map(ResourceIndex)
    }

    /// The resource at an index that this schema gave out.
    #[must_use]
    pub fn get(&self, index: ResourceIndex) -> &Resource {
        &self.resources[index.0 as usize]
    }

    /// Finds a resource by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ResourceIndex> {
        self.by_name.get(name).copied()
    }

    /// The relations that point at a resource.
    #[must_use]
    pub fn reverse(&self, target: ResourceIndex) -> &[ReverseRelation] {
        &self.reverse[target.0 as usize]
    }

    /// Finds a relation that points at a resource by one of its names.
    #[must_use]
    pub fn find_reverse(&self, target: ResourceIndex, name: &str) -> Option<&ReverseRelation> {
        self.reverse(target).iter().find(|relation| relation.names.iter().any(|known| known == name))
    }
}

impl Resource {
    /// The place of `id`.
    pub const ID: FieldIndex = FieldIndex(0);

    /// Finds a field by its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<FieldIndex> {
        self.fields.iter().position(|field| field.name == name).map(|position| FieldIndex(position as u16))
    }

    /// The field at an index of this resource.
    #[must_use]
    pub fn get(&self, index: FieldIndex) -> &Field {
        &self.fields[index.0 as usize]
    }

    /// Every field index, in the order of the answer.
    pub fn indices(&self) -> impl Iterator<Item = FieldIndex> + use<> {
        (0..self.fields.len() as u16).map(FieldIndex)
    }

    /// The field that the server keeps for an origin (`created_at`, `updated_at`), where the resource has it.
    #[must_use]
    pub fn kept(&self, origin: Origin) -> Option<FieldIndex> {
        self.fields.iter().position(|field| field.origin == origin).map(|position| FieldIndex(position as u16))
    }
}
