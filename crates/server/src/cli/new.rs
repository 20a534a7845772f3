//! `mainstay new`

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use include_dir::{Dir, include_dir};

use super::{
    failure::Failure,
    terminal::{self, bold, dim},
};

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../templates");

/// The templates, with what each is, in the order of the help.
const KNOWN: &[(&str, &str)] = &[
    ("accounts", "people who sign up and sign in, with pages for all of it, and their private notes"),
    ("blog", "posts, drafts, comments and tags, and the people who write them"),
    ("empty", "one resource to begin with"),
    ("shop", "a music shop over real data: products, orders, customers, playlists"),
];

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Templates:\n  accounts  people who sign up and sign in, with pages for all of it, and their private notes\n  \
                        blog      posts, drafts, comments and tags, and the people who write them\n  empty     \
                        one resource to begin with\n  shop      a music shop over real data: products, orders, \
                        customers, playlists\n\nExamples:\n  mainstay new notes\n  mainstay new shop --template \
                        shop\n\nNever writes into a directory that has something in it."
)]
pub(super) struct Arguments {
    /// The directory to make.
    name: PathBuf,
    /// What to begin with: `accounts`, `blog`, `empty` or `shop`.
    #[arg(long, value_name = "TEMPLATE", default_value = "empty")]
    template: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments { name, template } = arguments;
    let Some((known, _)) = KNOWN.iter().find(|(known, _)| known == template) else {
        let names: Vec<&str> = KNOWN.iter().map(|(known, _)| *known).collect();
        let near = rules::nearest(template, names.iter().copied());
        let help =
            near.map_or_else(|| format!("there are: {}", names.join(", ")), |near| format!("did you mean `{near}`?"));
        return Err(Failure::new(format!("there is no template `{template}`")).help(help));
    };
    let shown = name.display();
    if !is_free(name).map_err(|error| Failure::caused(format!("could not look at `{shown}`"), &error))? {
        return Err(Failure::new(format!("`{shown}` is there already, and not an empty directory"))
            .help("choose another name, or an empty directory"));
    }
    let from = TEMPLATES.get_dir(known).ok_or_else(|| Failure::new(format!("the template `{known}` is missing")))?;
    write(from, from.path(), name).map_err(|error| Failure::caused(format!("could not write `{shown}`"), &error))?;
    terminal::tell(format_args!("Made {} from the template {}.\n\nNext:\n", bold(name.display()), bold(known)));
    terminal::tell(format_args!("  cd {}", name.display()));
    terminal::tell(format_args!("  mainstay dev        {}", dim("# serves it and takes changes when you save")));
    Ok(ExitCode::SUCCESS)
}

/// Whether nothing is there, or an empty directory.
fn is_free(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

fn write(directory: &Dir<'_>, root: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    for file in directory.files() {
        let relative = file.path().strip_prefix(root).unwrap_or(file.path());
        let path = target.join(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, file.contents())?;
    }
    directory.dirs().try_for_each(|below| write(below, root, target))
}
