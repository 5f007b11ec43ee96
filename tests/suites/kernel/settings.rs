//! Every setting of the globals that can ship: the kernel's facts in each variant that a supported kernel has, and what the
//! loader decides.

use tracer::kernel::facts::table::{Need, ROWS, Row};
use tracer_ebpf::facts::{Field, KernelFacts};

/// The globals of one load.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// What is special about it, for messages.
    pub(crate) name: String,
    pub(crate) facts: KernelFacts,
    pub(crate) diagnostics: log::LevelFilter,
}

/// All of them on a kernel with these facts. Offsets are this kernel's throughout.
///
/// Each variant with each other, quiet and with all diagnostics; every level of diagnostics; the smallest and the largest ring;
/// and each field absent that tracer can do without, alone and all at once.
pub(crate) fn all(facts: KernelFacts) -> Vec<Setting> {
    use log::LevelFilter::{Off, Trace};
    let mut settings = Vec::new();
    for bits in 0..16_u32 {
        let facts = KernelFacts {
            exit_has_group_dead: bits & 1,
            mark_victim_is_task: bits >> 1 & 1,
            slots_are_own: bits >> 2 & 1,
            preempted: bits >> 3,
            ..facts
        };
        for diagnostics in [Off, Trace] {
            let name =
                format!("group_dead, task, slots, preempted {bits:04b} (from the right), {diagnostics}");
            settings.push(Setting { name, facts, diagnostics });
        }
    }
    settings.extend(log::LevelFilter::iter().map(|diagnostics| Setting {
        name: format!("diagnostics {diagnostics}"),
        facts,
        diagnostics,
    }));
    for wake_at in [1 << 10, 1 << 29] {
        let mut facts = facts;
        facts.wake_at = wake_at;
        settings.push(Setting { name: format!("wake at {wake_at}"), facts, diagnostics: Off });
    }
    let group_dead = KernelFacts { exit_has_group_dead: 1, ..facts };
    let dispensable: Vec<&Row> = ROWS.iter().filter(|row| row.need != Need::Required).collect();
    settings.extend(dispensable.iter().map(|row| Setting {
        name: format!("without {}.{}", row.of, row.paths[0]),
        facts: without(if row.need == Need::Optional { facts } else { group_dead }, row.field),
        diagnostics: Off,
    }));
    let least = dispensable.iter().fold(group_dead, |facts, row| without(facts, row.field));
    settings.push(Setting {
        name: "without all that is optional".to_owned(),
        facts: least,
        diagnostics: Off,
    });
    settings
}

fn without(mut facts: KernelFacts, field: Field) -> KernelFacts {
    facts.present &= !(1 << field as u32);
    facts.at[field as usize] = 0;
    facts
}

#[test]
fn a_field_is_absent_in_one_setting_and_with_all_others_in_the_last() {
    let facts = KernelFacts { present: (1 << Field::COUNT) - 1, ..KernelFacts::NONE };
    let settings = all(facts);
    let optional = ROWS.iter().filter(|row| row.need != Need::Required).count();
    let alone = settings
        .iter()
        .filter(|setting| setting.facts.present.count_ones() + 1 == facts.present.count_ones());
    assert_eq!(alone.count(), optional);
    let required = u32::try_from(Field::COUNT - optional).unwrap();
    assert_eq!(settings.last().unwrap().facts.present.count_ones(), required);
}
