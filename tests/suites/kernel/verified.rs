//! What the verifier of this kernel makes of the object, over all settings.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::{Value, json};
use tests::machine::{is_linux, series, tell};
use tracer::kernel::facts::read_kernel_facts;

use crate::object::{Work, verify};
use crate::settings;

/// The object that is embedded in tracer, or the one that `TRACER_BPF_OBJECT` names.
static OBJECT: &[u8] = include_bytes!("../../../tracer-ebpf/prebuilt/tracer.bpf.o");

/// The most work that each program is in any setting; loaded once.
pub(crate) fn most() -> &'static BTreeMap<String, Work> {
    static MOST: OnceLock<BTreeMap<String, Work>> = OnceLock::new();
    MOST.get_or_init(|| {
        if !is_linux(5, 11) {
            // There maps and programs count as locked memory.
            setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }).unwrap();
        }
        let named = std::env::var_os("TRACER_BPF_OBJECT").map(|path| std::fs::read(path).unwrap());
        let object = named.as_deref().unwrap_or(OBJECT);
        let facts = read_kernel_facts().unwrap().facts;
        let mut most = BTreeMap::new();
        for setting in settings::all(facts) {
            let works =
                verify(object, &setting).unwrap_or_else(|refused| panic!("{}: {refused}", setting.name));
            for (name, work) in works {
                let most: &mut Work = most.entry(name).or_default();
                *most = most.max(work);
            }
        }
        most
    })
}

/// As the file in the repository has it.
fn as_json(works: &BTreeMap<String, Work>) -> Value {
    let one = |work: &Work| {
        json!({
            "instructions": work.instructions,
            "states": work.states,
            "peak_states": work.peak_states,
            "stack": work.stack,
        })
    };
    let (major, minor) = series();
    let works: BTreeMap<&String, Value> = works.iter().map(|(name, work)| (name, one(work))).collect();
    json!({ format!("{major}.{minor}"): works })
}

#[test]
fn the_verifier_takes_every_setting_that_can_ship() {
    let works = most();
    let names: Vec<&str> = works.keys().map(String::as_str).collect();
    let exits = ["exit", "exit_2", "exit_3", "exit_4"];
    let others = ["fork", "fork_2", "oom", "oom_2", "rename", "rename_2", "signal", "signal_2"];
    assert_eq!(names, [["exec", "exec_2"].as_slice(), &exits, &others].concat());
    assert!(works.values().all(|work| work.instructions > 0 && work.stack <= 512), "{works:?}");
    tell("verifier", &as_json(works));
}
