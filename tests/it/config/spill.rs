//! Where new tokens go that the store does not take.

use super::*;

fn with(spill: &str) -> Folder {
    let folder = small();
    let text = format!(
        "{SMALL}store: {{redb: {{path: kept/store.redb}}{spill}}}
encryption: {{keys: [{{id: k1, key: {{file: sealing}}}}]}}
"
    )
    .replace("listeners: {", "listeners: {outbound: {address: 127.0.0.1:8081}, ");
    folder.write("sidegate.yaml", &text);
    folder.write("sealing", SEALING_KEY);
    folder.write("kept/README", "");
    folder
}

fn spill(settings: &Settings) -> Option<&Path> {
    settings.service.as_ref().unwrap().store.spill.as_deref()
}

#[test]
fn the_folder_is_named_from_the_file_that_names_it() {
    assert_eq!(spill(&with("").settings(&[])), None);
    let folder = with(", spill: spilled");
    let settings = folder.settings(&[]);
    assert_eq!(spill(&settings), Some(folder.0.join("spilled").as_path()));
    assert!(settings.warnings.is_empty(), "{:#?}", settings.warnings);
    let settings = folder.settings(&[("SIDEGATE_STORE__SPILL", "/mnt/other")]);
    assert_eq!(spill(&settings), Some(Path::new("/mnt/other")));
}

#[test]
fn the_folder_of_the_store_is_a_warning_by_whatever_name() {
    for name in ["kept", "kept/", "link"] {
        let folder = with(&format!(", spill: {name}"));
        std::os::unix::fs::symlink("kept", folder.0.join("link")).unwrap();
        let warnings = folder.settings(&[]).warnings;
        let [warning] = warnings.as_slice() else { panic!("one warning: {warnings:#?}") };
        assert_eq!(warning.cure, "name a folder on another disk");
        assert!(warning.to_string().contains("sidegate.yaml:4:"), "{warning}");
    }
}
