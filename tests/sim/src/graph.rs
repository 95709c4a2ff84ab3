//! The part of Microsoft Graph about groups: a user's memberships, and the names of groups.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::calendar;
use crate::keys::opaque;
use crate::misbehaviour::{self, MOVED, escapes};
use crate::people::{group_display_name, guid_of};
use crate::reply::{Reply, Response};
use crate::resource::is_graph;
use crate::state::{Call, State};

/// Above this number of ids, getMemberGroups refuses.
const MOST_MEMBER_GROUPS: usize = 11_000;
const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 999;
const MOST_IDS: usize = 1_000;
/// Marks the links of a page that continues at another host.
const ELSEWHERE: &str = "elsewhere~";

/// Whether Graph handles this path of the issuers' port.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with("/v1.0/")
}

/// Whether a query comes from a link that no client should follow.
pub(crate) fn is_elsewhere(query: &BTreeMap<String, String>) -> bool {
    query.get("$skiptoken").is_some_and(|token| token.starts_with(ELSEWHERE))
}

/// The claim source of a hostile token, which collects access tokens: it returns what the client hopes for.
pub(crate) fn claim_source(state: &State) -> Response {
    Response::json(200, &json!({ "value": state.settings.groups.ids() }))
}

/// An error of Graph: status, code, message.
struct GraphError(u16, &'static str, String);

impl GraphError {
    fn denied() -> Self {
        let text = "Insufficient privileges to complete the operation.";
        Self(403, "Authorization_RequestDenied", text.to_owned())
    }

    fn bad_request(text: &str) -> Self {
        Self(400, "Request_BadRequest", text.to_owned())
    }

    fn not_found(what: &str) -> Self {
        let text = format!(
            "Resource '{what}' does not exist or one of its queried reference-property objects are not present."
        );
        Self(404, "Request_ResourceNotFound", text)
    }

    fn response(self, state: &State, call: &Call) -> Response {
        let Self(status, code, message) = self;
        let request_id = guid_of(&opaque("request"));
        let sent = call.header("client-request-id");
        let client_request_id = if sent.is_empty() { &request_id } else { sent };
        let date = calendar::rfc3339(state.now());
        let date = date.trim_end_matches('Z');
        let body = json!({
            "error": {
                "code": code, "message": message,
                "innerError": { "date": date, "request-id": request_id, "client-request-id": client_request_id },
            },
        });
        let response = Response::json(status, &body).with("request-id", request_id.clone());
        if status == 401 { response.with("www-authenticate", "Bearer realm=\"\"") } else { response }
    }
}

pub(crate) fn handle(state: &mut State, call: &Call) -> Reply {
    let path = call.path.strip_suffix(MOVED).unwrap_or(&call.path);
    let parts: Vec<&str> = path.trim_matches('/').split('/').skip(1).collect();
    if let Some(reply) = failure_at(state, call, parts.last().unwrap_or(&"")) {
        return reply;
    }
    match caller(state, call).and_then(|caller| granted(state, call, &parts, &caller)) {
        Ok(response) => response.into(),
        Err(failure) => failure.response(state, call).into(),
    }
}

/// Failures before the token is checked. The last part of the path is the kind of request.
fn failure_at(state: &mut State, call: &Call, kind: &str) -> Option<Reply> {
    let throttled = (1..=2).contains(&state.occurrence_at(kind, Behaviour::GraphThrottled));
    if state.on(Behaviour::GraphStalls) {
        Some(Reply::Stall)
    } else if state.on(Behaviour::GraphDown) {
        Some(misbehaviour::unavailable().into())
    } else if state.occurrence_at(kind, Behaviour::GraphConnectionLost) == 1 {
        Some(Reply::Drop)
    } else if throttled || state.on(Behaviour::GraphThrottledAlways) {
        let failure = GraphError(429, "TooManyRequests", "Too many requests.".to_owned());
        Some(failure.response(state, call).with("retry-after", "1").into())
    } else if state.on(Behaviour::GraphRedirects) && !call.path.ends_with(MOVED) {
        Some(misbehaviour::redirect_to(&other_base(state, call), call))
    } else if state.on(Behaviour::GraphNotJson) {
        Some(misbehaviour::not_json())
    } else {
        None
    }
}

/// This world's address with the other host name.
fn other_base(state: &State, call: &Call) -> String {
    let scheme = call.base.split("://").next().unwrap_or_default();
    let another = |origin: &&String| origin.split("://").next() == Some(scheme) && **origin != call.base;
    state.origins.iter().find(another).unwrap_or(&call.base).clone()
}

/// The claims of a token that is meant for Graph and valid.
fn caller(state: &State, call: &Call) -> Result<Value, GraphError> {
    let refused = |text: &str| GraphError(401, "InvalidAuthenticationToken", text.to_owned());
    let token = call.header("authorization").strip_prefix("Bearer ");
    let token = token.ok_or_else(|| refused("Access token is empty."))?;
    let claims = state.keys.verify(token).ok_or_else(|| refused("IDX14100: JWT is not well formed."))?;
    if !claims["aud"].as_str().is_some_and(|audience| is_graph(state, audience)) {
        return Err(refused("Access token validation failure. Invalid audience."));
    }
    if claims["exp"].as_i64().is_none_or(|end| end <= state.now()) {
        return Err(refused("Lifetime validation failed, the token is expired."));
    }
    Ok(claims)
}

fn granted(state: &State, call: &Call, parts: &[&str], caller: &Value) -> Result<Response, GraphError> {
    if state.on(Behaviour::GraphForbidden) {
        return Err(GraphError::denied());
    }
    match (call.method.as_str(), parts) {
        ("POST", ["directoryObjects", "getByIds"]) => by_ids(state, call),
        ("POST", [who @ .., "getMemberGroups"]) => {
            check_asked_about(who, caller)?;
            member_groups(state, call)
        }
        ("GET", [who @ .., "transitiveMemberOf"]) => {
            check_asked_about(who, caller)?;
            page(state, call)
        }
        _ => Err(GraphError::not_found(parts.last().unwrap_or(&""))),
    }
}

/// Users and service principals can only ask about themselves.
fn check_asked_about(who: &[&str], caller: &Value) -> Result<(), GraphError> {
    let app = caller["idtyp"] == "app";
    match who {
        ["me"] if app => Err(GraphError::bad_request("/me request is only valid with delegated authentication flow.")),
        ["me"] => Ok(()),
        ["users", id] if !app && (caller["oid"] == *id || caller["upn"] == *id) => Ok(()),
        ["servicePrincipals", id] if app && caller["oid"] == *id => Ok(()),
        _ => Err(GraphError::not_found(who.last().unwrap_or(&""))),
    }
}

fn member_groups(state: &State, call: &Call) -> Result<Response, GraphError> {
    if state.on(Behaviour::GraphMemberGroupsForbidden) {
        return Err(GraphError::denied());
    }
    if call.body["securityEnabledOnly"] != false {
        return Err(GraphError::bad_request("securityEnabledOnly has to be false."));
    }
    if state.on(Behaviour::GraphDensePages) {
        return Ok(collection(call, "Collection(Edm.String)", None, std::iter::once(misbehaviour::dense("\"a\"", 7))));
    }
    let groups = &state.settings.groups;
    if groups.len() > MOST_MEMBER_GROUPS {
        let status = if state.on(Behaviour::GraphSizeLimit403) { 403 } else { 400 };
        let text = "The result set is too large to be returned.".to_owned();
        return Err(GraphError(status, "Directory_ResultSizeLimitExceeded", text));
    }
    let ids = (0..groups.len()).map(|index| json!(groups.id(index)).to_string());
    Ok(collection(call, "Collection(Edm.String)", None, ids))
}

/// The objects that a user is a member of: groups, and a few objects of other kinds in between.
fn page(state: &State, call: &Call) -> Result<Response, GraphError> {
    let top = match call.query.get("$top").map(|top| top.parse()) {
        None => DEFAULT_PAGE,
        Some(Ok(top)) if (1..=LARGEST_PAGE).contains(&top) => top,
        Some(_) => return Err(GraphError(400, "Request_UnsupportedQuery", "Invalid page size specified.".to_owned())),
    };
    let token = call.query.get("$skiptoken").map(|token| token.rsplit('~').next().unwrap_or_default().parse());
    let Ok(from) = token.transpose().map(Option::unwrap_or_default) else {
        return Err(GraphError::bad_request("Skip token is not valid."));
    };
    if from / top == 2 && state.on(Behaviour::GraphOnePageFails) {
        let text = "An internal server error occurred.".to_owned();
        return Err(GraphError(500, "Service_InternalServerError", text));
    }
    let count = state.settings.groups.len() + 3;
    let next = next_link(state, call, from, top, count);
    if state.on(Behaviour::GraphDensePages) {
        let group = json!({ "@odata.type": "#microsoft.graph.group", "id": from.to_string() }).to_string();
        let next = Some(format!("{}{}?$skiptoken=m~{}", call.base, call.path, from + 1));
        let values = [group, misbehaviour::dense("{}", 7)].into_iter();
        return Ok(collection(call, "directoryObjects(id,displayName)", next, values));
    }
    let shown = if state.on(Behaviour::GraphEmptyPages) {
        0..0
    } else if state.on(Behaviour::GraphPagesRepeat) {
        0..top.min(count)
    } else {
        from.min(count)..(from + top).min(count)
    };
    let mut objects: Vec<String> = shown.map(|index| object(state, call, index)).collect();
    if state.on(Behaviour::GraphOversizedPage) {
        let id = guid_of("oversized");
        let name = "a".repeat(9 << 20 | 1);
        objects
            .push(format!("{{\"@odata.type\":\"#microsoft.graph.group\",\"id\":\"{id}\",\"displayName\":\"{name}\"}}"));
    }
    Ok(collection(call, "directoryObjects(id,displayName)", next, objects.into_iter()))
}

/// The link to the next page, if there is one.
fn next_link(state: &State, call: &Call, from: usize, top: usize, count: usize) -> Option<String> {
    let following = from + top;
    let more = following < count;
    let link = |base: &str, token: &str| {
        let asked = call.query.iter().filter(|(name, _)| *name != "$skiptoken");
        let asked = asked.map(|(name, value)| format!("{name}={value}")).chain([format!("$skiptoken={token}")]);
        let query = asked.filter(|pair| !pair.ends_with('=')).collect::<Vec<_>>().join("&");
        format!("{base}{}?{query}", call.path)
    };
    if state.on(Behaviour::GraphNextLinkElsewhere) && (from == 0 || more) {
        Some(link(&other_base(state, call), &format!("{ELSEWHERE}{following}")))
    } else if state.on(Behaviour::GraphNextLinkLoops) && from > 0 {
        Some(link(&call.base, ""))
    } else if state.on(Behaviour::GraphPagesRepeat) || state.on(Behaviour::GraphEmptyPages) {
        Some(link(&call.base, &format!("again~{}", from + 1)))
    } else if more || state.on(Behaviour::GraphNextLinkLoops) {
        Some(link(&call.base, &format!("m~{following}")))
    } else {
        None
    }
}

/// One object of a page: the first and the last are directory roles, the middle one is an administrative unit.
fn object(state: &State, call: &Call, index: usize) -> String {
    let groups = &state.settings.groups;
    let middle = 1 + groups.len() / 2;
    let (kind, id, name) = if index == 0 {
        ("directoryRole", guid_of("first role"), "Directory Readers".to_owned())
    } else if index == middle {
        ("administrativeUnit", guid_of("unit"), "Munich".to_owned())
    } else if index == groups.len() + 2 {
        ("directoryRole", guid_of("last role"), "Global Reader".to_owned())
    } else {
        let id = groups.id(index - if index < middle { 1 } else { 2 });
        let name = group_name(state, &id);
        ("group", id, name)
    };
    let wanted = call.query.get("$select").is_none_or(|names| names.split(',').any(|one| one == "displayName"));
    named(kind, &id, wanted.then_some(name))
}

fn group_name(state: &State, id: &str) -> String {
    let name = group_display_name(id);
    if state.on(Behaviour::GraphControlCharacters) { escapes(&name) } else { name }
}

fn named(kind: &str, id: &str, name: Option<String>) -> String {
    let name = name.map_or_else(String::new, |name| format!(",\"displayName\":{}", json!(name)));
    format!("{{\"@odata.type\":\"#microsoft.graph.{kind}\",\"id\":{}{name}}}", json!(id))
}

fn by_ids(state: &State, call: &Call) -> Result<Response, GraphError> {
    let ids = call.body["ids"].as_array().ok_or_else(|| GraphError::bad_request("ids is missing."))?;
    if ids.is_empty() || ids.len() > MOST_IDS {
        return Err(GraphError::bad_request("Too many or too few ids: between 1 and 1000 are taken."));
    }
    let types = call.body["types"].as_array();
    let groups = types.is_none_or(|types| types.iter().any(|one| one == "group"));
    let known = ids.iter().filter_map(Value::as_str).filter(|id| groups && state.settings.groups.exists(id));
    Ok(collection(call, "directoryObjects", None, known.map(|id| named("group", id, Some(group_name(state, id))))))
}

/// A collection. It is built as text, because a `Value` with a hundred thousand items is slow.
fn collection(call: &Call, context: &str, next: Option<String>, values: impl Iterator<Item = String>) -> Response {
    let next = next.map_or_else(String::new, |next| format!("\"@odata.nextLink\":{},", json!(next)));
    let mut body = format!("{{\"@odata.context\":\"{}/v1.0/$metadata#{context}\",{next}\"value\":[", call.base);
    for (number, value) in values.enumerate() {
        if number > 0 {
            body.push(',');
        }
        body.push_str(&value);
    }
    body.push_str("]}");
    Response::json(200, &Value::Null).with_body(&body)
}
