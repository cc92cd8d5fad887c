//! The demo's devices, and its condition told twice: once for the API, once in plain Rust.

use serde_json::{Value, json};

const COUNTRIES: [&str; 8] = ["KR", "JP", "VN", "US", "DE", "BR", "IN", "FR"];
const PLANS: [&str; 3] = ["free", "plus", "pro"];
const SPORTS: [&str; 5] = ["football", "tennis", "climbing", "running", "chess"];

/// What the demo knows of its device number `index`.
struct Spec {
    ios: bool,
    web: bool,
    country: &'static str,
    plan: &'static str,
    age: u64,
    spent: f64,
    sports: Vec<&'static str>,
    vip: bool,
    token: String,
}

/// A well-mixed number for each pair (SplitMix64, Steele, Lea and Flood 2014).
fn mix(index: usize, salt: u64) -> u64 {
    let mut z = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt << 32);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn spec(index: usize) -> Spec {
    let pick = |salt, choices: u64| mix(index, salt) % choices;
    let ios = pick(1, 100) < 45;
    let sports = SPORTS.iter().enumerate().filter(|(at, _)| pick(20 + *at as u64, 10) < 3);
    Spec {
        ios,
        web: !ios && pick(2, 100) < 10,
        country: COUNTRIES[pick(3, 8) as usize],
        plan: PLANS[pick(4, 3) as usize],
        age: 13 + pick(5, 70),
        spent: pick(6, 100_000) as f64 / 100.0,
        sports: sports.map(|(_, sport)| *sport).collect(),
        vip: pick(7, 20) == 0,
        token: token(index, ios),
    }
}

/// Tokens of the providers' looks: 32 bytes in hex for APNs, a long word with a colon for FCM.
fn token(index: usize, ios: bool) -> String {
    if ios {
        return (10..14).map(|salt| format!("{:016x}", mix(index, salt))).collect();
    }
    let words: String = (10..18).map(|salt| format!("{:016x}", mix(index, salt))).collect();
    format!("{}:APA91b{}", &words[..22], &words[22..])
}

/// Device number `index` as it is registered.
pub fn registration(index: usize) -> Value {
    let spec = spec(index);
    let platform = if spec.ios { 2 } else { 1 + 2 * u8::from(spec.web) };
    json!({
        "external_id": format!("demo-{index}"),
        "push_token": spec.token,
        "send_platform": if spec.ios { 2 } else { 1 },
        "device_platform": platform,
        "tags": if spec.vip { vec!["vip"] } else { vec![] },
        "properties": [
            {"key": "country", "value": spec.country},
            {"key": "plan", "value": spec.plan},
            {"key": "age", "value": spec.age},
            {"key": "spent", "value": spec.spent},
            {"key": "sports", "value": spec.sports},
        ],
    })
}

/// The demo's audience, as the API takes it: East Asia's grown-ups who pay or play football, and every
/// VIP, but nobody in a browser.
pub fn conditions() -> Value {
    let leaf = |key: &str, operator: &str, value: Value| json!({"key": key, "operator": operator, "value": value});
    let paying = leaf("plan", "str_ne", json!("free"));
    let football = leaf("sports", "str_exists", json!("football"));
    json!({"join_type": "AND", "conditions": [
        {"join_type": "OR", "conditions": [
            {"join_type": "AND", "conditions": [
                leaf("country", "str_in", json!(["KR", "JP", "VN", "IN", "US"])),
                leaf("age", "int_gte", json!(18)),
                {"join_type": "OR", "conditions": [paying, football]},
            ]},
            leaf("@tag", "str_eq", json!("vip")),
        ]},
        {"join_type": "NOT", "conditions": [leaf("@platform", "str_eq", json!("web"))]},
    ]})
}

/// The same audience, told independently of the engine: the token of device `index` if it should be
/// pushed to.
pub fn expects(index: usize) -> Option<String> {
    let spec = spec(index);
    let near = matches!(spec.country, "KR" | "JP" | "VN" | "IN" | "US");
    let keen = spec.plan != "free" || spec.sports.contains(&"football");
    let wanted = (near && spec.age >= 18 && keen) || spec.vip;
    (wanted && !spec.web).then_some(spec.token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fair_part_of_the_devices_is_expected() {
        let expected = (0..10_000).filter(|index| expects(*index).is_some()).count();
        assert!((3_000..7_000).contains(&expected), "{expected}");
    }

    #[test]
    fn tokens_differ_and_look_as_the_providers_make_them() {
        let tokens: std::collections::HashSet<_> =
            (0..1000).map(|index| spec(index).token).collect();
        assert_eq!(tokens.len(), 1000);
        assert_eq!(token(7, true).len(), 64);
        assert!(token(7, false).contains(":APA91b"));
    }
}
