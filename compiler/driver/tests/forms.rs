//! Plans of real architectures keep the rules, and their printed form reads back to the same plan.

use driver::Options;
use graph::TextOptions;
use rewrite::{Budget, Contract, Cost};
use std::path::Path;

#[test]
fn plans_of_models_read_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/models/small");
    let mut names: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() > 5);
    for model in names.iter().map(|name| name.join("model.onnx")) {
        let imported = driver::import_model(&driver::load_model(&model).unwrap(), &Options::default()).unwrap();
        let graph = rewrite::canonicalize_under(imported.graph, Contract::default());
        let (graph, _) = rewrite::optimize(graph, Contract::default(), &Cost::host(4), &Budget::default()).unwrap();
        let plan = schedule::plan(&graph);
        assert_eq!(schedule::verify(&graph, &plan), Ok(()), "{}", model.display());
        let options = TextOptions { locs: true, max_elements: usize::MAX };
        let text = schedule::to_text(&graph, &plan, options);
        let (graph_again, again) = schedule::parse(&text, "p", &|_| None).unwrap_or_else(|e| panic!("{e}"));
        assert!(schedule::to_text(&graph_again, &again, options) == text, "{}", model.display());
        assert!(schedule::plan(&graph_again) == again, "{}", model.display());
    }
}
