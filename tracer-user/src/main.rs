//! The `tracer` binary.
fn main() {
    let t = std::time::Instant::now();
    let k = tracer::kernel::facts::read_kernel_facts().unwrap();
    eprintln!("facts {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let p = tracer::kernel::load::Programs::load(&Default::default());
    eprintln!("load {:?}", t.elapsed());
    match p { Ok(mut p) => { let t = std::time::Instant::now(); p.detach(); eprintln!("detach {:?}", t.elapsed()); println!("{}", p.skipped()); let t = std::time::Instant::now(); drop(p);eprintln!("drop {:?}", t.elapsed()); }, Err(e) => { let mut e: &dyn std::error::Error = &e; loop { println!("{e}"); match e.source() { Some(s) => e = s, None => break } } } }
    let _ = k;
}
