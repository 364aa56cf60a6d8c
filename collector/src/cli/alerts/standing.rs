//! What is known of an alert's value joined with what becomes of it: who is told, what keeps it quiet.
//! An alert that somebody posted is of the latter kind only.

use serde_json::{Value, json};

/// The alerts of our own rules with what becomes of them, and behind them those from elsewhere.
pub(super) fn joined(mut data: Value, standing: &Value) -> Value {
    let mut alerts = match data["alerts"].take() {
        Value::Array(alerts) => alerts,
        _ => Vec::new(),
    };
    let standing = standing.as_array().map(Vec::as_slice).unwrap_or_default();
    for alert in standing {
        let is_it = |own: &&mut Value| own["labels"] == alert["labels"] && own["state"] == "firing";
        match alerts.iter_mut().find(is_it) {
            Some(own) => become_of(own, alert),
            None => {
                let mut posted = json!({
                    "labels": alert["labels"],
                    "annotations": alert["annotations"],
                    "state": "firing",
                    "activeAt": alert["startsAt"],
                    "value": "",
                });
                become_of(&mut posted, alert);
                alerts.push(posted);
            }
        }
    }
    data["alerts"] = alerts.into();
    data
}

fn become_of(alert: &mut Value, standing: &Value) {
    let receivers = standing["receivers"].as_array();
    let names = receivers.map(Vec::as_slice).unwrap_or_default().iter();
    let names: Vec<Value> = names.map(|receiver| receiver["name"].clone()).collect();
    alert["receivers"] = names.into();
    alert["fingerprint"] = standing["fingerprint"].clone();
    for key in ["silencedBy", "inhibitedBy", "mutedBy"] {
        alert[key] = standing["status"][key].clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_joined_by_their_labels() {
        let standing = |name: &str| {
            json!({"labels": {"alertname": name}, "annotations": {}, "fingerprint": "f",
                   "startsAt": "t", "receivers": [{"name": "db"}],
                   "status": {"silencedBy": ["s"], "inhibitedBy": [], "mutedBy": []}})
        };
        let own = |name: &str, state: &str| {
            json!({"labels": {"alertname": name}, "annotations": {}, "state": state,
                   "activeAt": "t", "value": "1"})
        };
        let data = json!({"alerts": [own("A", "firing"), own("B", "pending")]});
        let data = joined(data, &json!([standing("A"), standing("C")]));
        let alerts = data["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), 3);
        let seen = |place: usize| {
            let alert = &alerts[place];
            (
                alert["value"].clone(),
                alert["receivers"].clone(),
                alert["silencedBy"].clone(),
            )
        };
        assert_eq!(seen(0), (json!("1"), json!(["db"]), json!(["s"])));
        assert_eq!(seen(1), (json!("1"), Value::Null, Value::Null));
        assert_eq!(seen(2), (json!(""), json!(["db"]), json!(["s"])));
        assert_eq!(joined(Value::Null, &Value::Null), json!({"alerts": []}));
    }
}
