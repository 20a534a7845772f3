//! `expand=author,comments.author`, and what is asked of each list: `expand[comments][limit]=10`.

use model::Problem;
use rules::query::{EXPANSIONS, Query, too_many_expansions};

use crate::{
    parameters::Parameters,
    query::{names, parse_sort, whole_number},
};

/// The most records of an expanded list.
const LIMIT: u32 = 200;
/// What may be asked of an expanded list.
const OPTIONS: [&str; 3] = ["filter", "limit", "sort"];

/// Takes `expand` and what stands below it. An option of a path asks for the path, too.
///
/// # Errors
/// 400 for a path that is too deep or stands alone, an unknown option, or a bad value.
pub fn take_expand(parameters: &mut Parameters, query: &mut Query) -> Result<(), Problem> {
    let listed = parameters.take("expand")?;
    let paths = listed.as_deref().map(|text| names("expand", text)).transpose()?.unwrap_or_default();
    // As many as there may be, also where one stands several times: a list is as long as it is written.
    if paths.len() > EXPANSIONS {
        return Err(too_many_expansions());
    }
    paths.into_iter().try_for_each(|path| query.form.expand(path).map(|_| ()))?;
    for (names, value) in parameters.take_below("expand")? {
        let parameter = format!("expand[{}]", names.join("]["));
        let [path, option] = names.as_slice() else {
            let detail = format!("`{parameter}` has the form `expand[comments][limit]`");
            return Err(Problem::parameter(&parameter, detail));
        };
        let expansion = query.form.expand(path)?;
        let given = match option.as_str() {
            "limit" => expansion.limit.replace(whole_number(&parameter, &value, 1, LIMIT)?).is_some(),
            "filter" => expansion.form.filter.replace(value).is_some(),
            "sort" => {
                let sort = parse_sort(&parameter, Some(&value))?;
                !std::mem::replace(&mut expansion.form.sort, sort).is_empty()
            }
            unknown => {
                let near = rules::nearest(unknown, OPTIONS).map(|near| format!(", did you mean `{near}`?"));
                let help = near.unwrap_or_else(|| format!("; there is {}", OPTIONS.join(", ")));
                return Err(Problem::parameter(&parameter, format!("`expand` has no option `{unknown}`{help}")));
            }
        };
        if given {
            return Err(Problem::parameter(&parameter, format!("`{parameter}` stands twice")));
        }
    }
    Ok(())
}
