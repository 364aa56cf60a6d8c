use super::*;

const HERE: &str = "s3://b/here";

#[test]
fn a_folder_keeps_its_name_and_its_bucket() {
    let data = tempfile::tempdir().unwrap();
    let made = Binding::read_or_make(data.path()).unwrap();
    assert_eq!(made.text.owner.len(), 32);
    // Never reached: the operator may still be looking for the right words.
    made.expect("s3://b/anywhere").unwrap();
    expect_none(Some(&made)).unwrap();
    let again = Binding::read_or_make(data.path()).unwrap();
    assert_eq!(again.text, made.text);
    again.settle(HERE).unwrap();
    let settled = Binding::read(data.path()).unwrap().unwrap();
    assert_eq!(settled.text.owner, made.text.owner);
    settled.expect(HERE).unwrap();
    let refused = settled.expect("s3://b/there").unwrap_err().to_string();
    assert!(refused.contains("lie at s3://b/here, and store.blocks says s3://b/there"));
    let refused = expect_none(Some(&settled)).unwrap_err().to_string();
    assert!(refused.contains("lie at s3://b/here, and store.blocks is not set"));
    let other = tempfile::tempdir().unwrap();
    let other = Binding::read_or_make(other.path()).unwrap();
    assert_ne!(other.text.owner, made.text.owner);
}

#[test]
fn blocks_in_the_folder_are_not_left_behind() {
    let data = tempfile::tempdir().unwrap();
    let binding = Binding::read_or_make(data.path()).unwrap();
    binding.expect_no_folder(data.path()).unwrap();
    let block = data.path().join(BLOCKS).join("00000000000000000001");
    fs::create_dir_all(&block).unwrap();
    // What an interrupted write left is nothing to miss.
    binding.expect_no_folder(data.path()).unwrap();
    fs::write(block.join("meta.json"), "").unwrap();
    let refused = binding.expect_no_folder(data.path()).unwrap_err();
    assert!(
        refused.to_string().contains("and blocks lie in"),
        "{refused}"
    );
}

#[test]
fn a_damaged_file_is_told() {
    let data = tempfile::tempdir().unwrap();
    for text in [
        "",
        "{",
        "{\"owner\":1}",
        "{\"owner\":\"x\",\"blocks\":null,\"more\":1}",
    ] {
        fs::write(data.path().join(FILE), text).unwrap();
        let refused = format!("{:#}", Binding::read(data.path()).unwrap_err());
        assert!(
            refused.contains("bucket.json is damaged"),
            "{text}: {refused}"
        );
    }
}
