//! Integrations that borrow an app, and what an integration says of its connector's options.

use super::*;

const OAUTH: &str = "\
type: oauth2
getOAuthConfig: {type: mapping, mapping: {clientId: c, tokenUri: 'https://a.example/token'}}
makeApiClient: {type: mapping, mapping: {baseUri: 'https://a.example'}}
test: {type: not-supported}
";

/// `mail` borrows from `proxy_key`.
fn borrowing(proxy_key: &str) -> Folder {
    let folder = small();
    folder.write("connectors/suite/spec.yml", OAUTH);
    folder.write("connectors/mail/spec.yml", &format!("type: proxy\nproxyKey: {proxy_key}\n"));
    folder.write("integrations/owner.yaml", "connector: suite\napps: [{id: own, clientId: c1}]\n");
    folder.write("integrations/mail.yaml", "connector: mail\n");
    folder
}

fn mail(settings: &Settings) -> &sidegate::connector::Integration {
    settings.integrations.iter().find(|one| one.key.as_str() == "mail").unwrap()
}

#[test]
fn a_proxy_key_names_an_integration_or_the_only_one_with_that_connector() {
    for key in ["owner", "suite"] {
        let settings = borrowing(key).settings(&[]);
        let mail = mail(&settings);
        assert_eq!(mail.new_app(None).unwrap().client_id, "c1", "{key}");
        assert!(mail.apps.is_empty());
        let way = mail.connector.option(None).unwrap();
        assert_eq!(way.auth.as_str(), "oauth2");
        assert_eq!(
            way.literal_base_host(),
            Some(("a.example".into(), 443)),
            "the lender's, for want of an own"
        );
    }
}

#[test]
fn a_lender_that_is_not_there_or_not_the_only_one_is_told_with_what_to_write() {
    let place = "integrations/mail.yaml:1:12: the connector borrows from";
    contains(
        &borrowing("ownr").complaints(&[]),
        &format!("{place} `ownr` (`proxyKey`), and there is no such integration; did you mean `owner`?"),
    );
    let folder = borrowing("suite");
    folder.write("integrations/other.yaml", "connector: suite\n");
    contains(&folder.complaints(&[]), "write the key of one, such as `other` or `owner`");
}

#[test]
fn who_borrows_in_a_circle_is_told_the_way() {
    let folder = borrowing("calendar");
    folder.write("connectors/calendar/spec.yml", "type: proxy\nproxyKey: mail\n");
    folder.write("integrations/calendar.yaml", "connector: calendar\n");
    let complaints = folder.complaints(&[]);
    contains(&complaints, "the integrations borrow from each other: mail -> calendar -> mail");
    contains(&complaints, "the integrations borrow from each other: calendar -> mail -> calendar");
    contains(&borrowing("mail").complaints(&[]), "the integrations borrow from each other: mail -> mail");
}

#[test]
fn an_app_is_not_lent_to_more_workspaces_than_it_serves() {
    let folder = borrowing("owner");
    folder.write("integrations/owner.yaml", "connector: suite\nworkspaces: [my-workspace]\n");
    contains(
        &folder.complaints(&[]),
        "`integrations.mail.workspaces` has more workspaces than `owner`, whose app it uses",
    );
    folder.write("integrations/mail.yaml", "connector: mail\nworkspaces: [my-workspace]\n");
    folder.settings(&[]);
}

#[test]
fn an_option_can_be_switched_off_and_have_parameters_of_its_own() {
    let folder = small();
    let option = "{type: client-credentials, enabled: {$var: connectorParameters.on}}";
    folder.write(
        "connectors/crm/spec.yml",
        &format!(
            "auth:\n  makeApiClient: {{type: mapping, mapping: {{baseUri: 'https://a.example'}}}}\n  \
             test: {{type: not-supported}}\n  options: {{key: {option}, token: {option}, off: {option}}}\n"
        ),
    );
    let integration = "\
connector: crm
parameters: {on: false, region: eu}
optionsConfig:
  key: {parameters: {on: true}}
  off: {disabled: true, parameters: {on: true}}
";
    folder.write("integrations/crm.yaml", integration);
    let settings = folder.settings(&[]);
    let crm = &settings.integrations[0];
    let parameters = |way| crm.connector_parameters(way, None, &sidegate::formula::Value::empty_object());
    let offered: Vec<_> = crm
        .connector
        .offered()
        .filter(|way| crm.offers(way, &parameters(way)))
        .map(|way| way.key.as_deref().unwrap())
        .collect();
    assert_eq!(offered, ["key"]);
    let region = parameters(crm.connector.option(Some("key")).unwrap());
    assert_eq!(region.get("region").and_then(|it| it.as_str()), Some("eu"), "the others stay");
    folder.write("integrations/crm.yaml", &integration.replace("  off:", "  of:"));
    contains(&folder.complaints(&[]), "the connector has no option `of`; did you mean `off`?");
}
