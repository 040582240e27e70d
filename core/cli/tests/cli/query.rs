//! Conditions of `query`: what they find, and what is refused rather than misread.

use serde_json::Value;

use crate::{Desk, WORKSPACE};

const MOVIES: &str = "main/movies";

fn movies() -> Desk {
    let desk = Desk::new();
    let records = r#"[
        {"id": "alien", "title": "Alien", "year": 1979, "genres": ["Horror", "Drama"]},
        {"id": "lilo", "title": "Lilo and Stitch", "year": 2002, "genres": ["Comedy"]},
        {"id": "dead", "title": "Dead or Alive", "year": 1999, "genres": ["Crime"]},
        {"id": "heat", "title": "Heat", "year": 1995, "genres": ["Crime", "Drama"]}
    ]"#;
    desk.write("movies.json", records);
    desk.run(&["import", WORKSPACE, MOVIES, "movies.json"]).done();
    desk
}

fn keys(desk: &Desk, condition: &str) -> Vec<String> {
    let found = desk.run(&["query", WORKSPACE, MOVIES, condition, "--sort", "year"]);
    found.all().iter().map(|item: &Value| item["key"].as_str().expect("a key").to_owned()).collect()
}

#[test]
fn conditions_find_what_they_say() {
    let desk = movies();
    for (condition, expected) in [
        ("year >= 1999", "dead lilo"),
        ("year<1999", "alien heat"),
        ("year = 1995", "heat"),
        ("year == 1995", "heat"),
        ("year != 1995", "alien dead lilo"),
        ("year in [1979, 1995]", "alien heat"),
        ("title = Heat", "heat"),
        ("title prefix Al", "alien"),
        ("title = \"Lilo and Stitch\"", "lilo"),
        ("title = \"Dead or Alive\"", "dead"),
        ("genres contains Drama and year < 1990", "alien"),
        ("genres contains Comedy or year = 1995", "heat lilo"),
        ("not genres contains Crime", "alien lilo"),
        ("{\"or\": [{\"year\": 1979}, {\"not\": {\"year\": {\"lt\": 2000}}}]}", "alien lilo"),
        ("year = 1", ""),
    ] {
        assert_eq!(keys(&desk, condition).join(" "), expected, "{condition}");
    }
    let newest = desk.run(&["query", WORKSPACE, MOVIES, "--sort", "-year", "--limit", "1", "--offset", "1"]);
    assert_eq!(newest.done()["key"], "dead");
}

#[test]
fn what_is_no_condition_is_refused() {
    let desk = movies();
    for condition in [
        "year",
        "year ~ 1999",
        "year => 1999",
        "year >= 1999 limit 5",
        "(year = 1995 or year = 1999) and title = Heat",
        "title = Lilo and Stitch",
        "title = 'Heat'",
        "year in 1995",
        "{\"year\": {\"gte\": 1999}}",
        "{\"year\": 1999",
    ] {
        desk.run(&["query", WORKSPACE, MOVIES, condition]).failed(2, "invalid_argument", "");
    }
}
