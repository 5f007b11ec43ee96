use super::*;

#[test]
#[ignore = "reads the running kernel's BTF"]
fn the_running_kernel_has_everything() {
    let kernel = read_kernel_facts().unwrap();
    println!("{kernel:?}");
}

/// How long start-up takes for it, by step. `cargo test --release -- --ignored --nocapture the_cost`
#[test]
#[ignore = "reads the running kernel's BTF and prints times"]
fn the_cost() {
    use std::time::Instant;
    let best = |what: &str, f: &mut dyn FnMut()| {
        let mut all: Vec<_> = (0..51)
            .map(|_| {
                let start = Instant::now();
                f();
                start.elapsed()
            })
            .collect();
        let first = all[0];
        all.sort();
        println!("{what}: first {first:?} min {:?} median {:?} max {:?}", all[0], all[25], all[50]);
    };
    best("whole", &mut || drop(read_kernel_facts().unwrap()));
    best("open", &mut || drop(Image::of_kernel().unwrap()));
    best("fs::read", &mut || drop(std::fs::read(Image::KERNEL).unwrap()));
    let image = Image::of_kernel().unwrap();
    best("scan", &mut || drop(Btf::scan(&image, &structs(), &TYPEDEFS).unwrap()));
    best("scan+resolve", &mut || drop(resolve(&image, "x").unwrap()));
    let bytes = std::fs::read(Image::KERNEL).unwrap();
    best("scan+resolve of read", &mut || drop(resolve(&bytes, "x").unwrap()));
}
