//! The devices of the benchmarks of stores.

use std::collections::BTreeSet;

use fanfare::domain::device::{
    DeviceEdit, DevicePlatform, PropertyValue, Registration, Scalar, SendPlatform,
};

/// A typical device: six properties, one of them unique, and two tags.
pub fn registration(number: u64) -> Registration {
    // Knuth's multiplier spreads consecutive numbers.
    let random = number.wrapping_mul(6_364_136_223_846_793_005) >> 33;
    let text = |text: String| PropertyValue::One(Scalar::Text(text));
    let properties = [
        ("age", PropertyValue::One(Scalar::Int((random % 80) as i64))),
        ("country", text(format!("c{}", random % 40))),
        ("premium", PropertyValue::One(Scalar::Bool(random.is_multiple_of(10)))),
        ("score", PropertyValue::One(Scalar::Float((random % 1000) as f64 / 8.0))),
        ("segment", text(format!("s{}", random % 100))),
        ("user_id", text(format!("user-{random:010}-{number}"))),
    ];
    let properties = properties.into_iter().map(|(key, value)| (key.to_owned(), Some(value)));
    Registration {
        external_id: format!("device-{number}"),
        push_token: format!("{random:016x}{number:048x}"),
        send_platform: Some(SendPlatform::Apns),
        device_platform: Some(DevicePlatform::Ios),
        edit: DeviceEdit {
            properties: properties.collect(),
            tags: Some(BTreeSet::from([format!("t{}", random % 20), "all".to_owned()])),
            ..DeviceEdit::default()
        },
    }
}
