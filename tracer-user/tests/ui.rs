//! What must not compile: a target that the resolver did not make, and a pid in the place of one (**T1**).

#[test]
fn a_target_comes_from_the_resolver_alone() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
