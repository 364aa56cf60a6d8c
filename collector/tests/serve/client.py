"""Asks a collector everything that prometheus-api-client can ask. Arguments: its address, and the time of
the newest sample in seconds."""

import sys
from datetime import datetime, timedelta, timezone

from prometheus_api_client import PrometheusConnect

url, end = sys.argv[1], int(sys.argv[2])
until = datetime.fromtimestamp(end, timezone.utc)
since = until - timedelta(minutes=10)


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


with PrometheusConnect(url=url, disable_ssl=True) as prometheus:
    assert prometheus.check_prometheus_connection()
    equal(prometheus.all_metrics(), ["probe_a", "probe_b", "up"])
    equal(prometheus.get_label_names(), ["__name__", "instance", "job", "n"])
    equal(prometheus.get_label_values("job"), ["tests"])
    labels = {"__name__": "probe_a", "instance": "here", "job": "tests", "n": "1"}
    equal(prometheus.get_series(since, until, {"match[]": "probe_a"}), [labels])
    current = prometheus.get_current_metric_value("probe_a", {"n": "1"}, {"time": end})
    equal(current, [{"metric": labels, "value": [end, "20"]}])
    equal(prometheus.custom_query("probe_a + 1", {"time": end})[0]["value"], [end, "21"])
    ranged = prometheus.custom_query_range("sum(probe_a)", since, until, "5m")
    equal(ranged, [{"metric": {}, "values": [[end - 600, "0"], [end - 300, "10"], [end, "20"]]}])
    chunks = prometheus.get_metric_range_data("probe_b", {}, since, until, timedelta(minutes=5))
    equal({value for chunk in chunks for _, value in chunk["values"]}, {"0.5"})
    equal(prometheus.get_scrape_pools(), ["tests"])
    targets = prometheus.get_targets(state="active")
    equal([target["health"] for target in targets["activeTargets"]], ["up"])
    about = prometheus.get_target_metadata({"job": "tests"}, "probe_a")
    equal([entry["type"] for entry in about], ["gauge"])
    about = prometheus.get_metric_metadata("probe_a")
    equal([(entry["metric_name"], entry["help"]) for entry in about], [("probe_a", "A test.")])
print("ok")
