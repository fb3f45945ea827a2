"""Reads, validates, interns and cleans an event log with pandas or polars, as one would there.

    python3 benches/peers/read_log.py pandas|polars LOG.csv

The log has the columns user_id,item_id,event,timestamp,value. The same work as ours: unknown kinds,
unreadable times and values that their kind doesn't have are set aside, exact duplicates dropped,
ids made dense integers, events sorted by user and time. Prints one JSON line.
"""

import json
import resource
import sys
import time

KINDS = [
    "view", "search", "click", "add_to_cart", "remove_from_cart", "purchase", "return", "rate", "like",
    "dislike", "follow", "share", "comment", "watch", "skip", "dismiss", "impression",
]
NUMBER = ["purchase", "return", "rate", "watch", "impression"]
TEXT = ["search", "follow", "comment"]


def with_polars(path):
    import polars as pl

    rows = pl.read_csv(path, schema_overrides={name: pl.String for name in ("user_id", "item_id", "event", "timestamp", "value")})
    read = rows.height
    rows = rows.with_columns(
        pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False),
        number=pl.col("value").cast(pl.Float64, strict=False),
        event=pl.col("event").str.to_lowercase(),
    )
    numeric, textual = pl.col("event").is_in(NUMBER), pl.col("event").is_in(TEXT)
    has_value = pl.col("value").is_not_null() & (pl.col("value") != "")
    valid = (
        pl.col("event").is_in(KINDS)
        & pl.col("timestamp").is_not_null()
        & pl.col("user_id").is_not_null()
        & (pl.col("item_id").is_not_null() | textual)
        & pl.when(numeric).then(pl.col("number").is_not_null() | ~has_value)
        .when(textual).then(has_value).otherwise(~has_value)
    )
    rows = rows.filter(valid)
    kept = rows.height
    rows = rows.unique(subset=["user_id", "item_id", "event", "timestamp", "value"], maintain_order=True, keep="first")
    rows = rows.with_columns(
        pl.col("user_id").cast(pl.Categorical).to_physical(),
        pl.col("item_id").cast(pl.Categorical).to_physical(),
        pl.col("event").cast(pl.Categorical),
    ).sort("user_id", "timestamp", maintain_order=True)
    return read, rows.height, kept - rows.height, rows["user_id"].n_unique(), rows["item_id"].n_unique()


def with_pandas(path):
    import pandas as pd

    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    read = len(rows)
    rows["timestamp"] = pd.to_datetime(rows["timestamp"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    rows["event"] = rows["event"].str.lower().astype("category")
    has_value = rows["value"] != ""
    numeric, textual = rows["event"].isin(NUMBER), rows["event"].isin(TEXT)
    number = pd.to_numeric(rows["value"], errors="coerce").notna()
    valid = (
        rows["event"].isin(KINDS)
        & rows["timestamp"].notna()
        & (rows["user_id"] != "")
        & ((rows["item_id"] != "") | textual)
        & ((numeric & (number | ~has_value)) | (textual & has_value) | (~numeric & ~textual & ~has_value))
    )
    rows = rows[valid]
    kept = len(rows)
    rows = rows.drop_duplicates(["user_id", "item_id", "event", "timestamp", "value"])
    users, user_ids = pd.factorize(rows["user_id"])
    items, item_ids = pd.factorize(rows["item_id"])
    rows = rows.assign(user_id=users, item_id=items).sort_values(["user_id", "timestamp"], kind="stable")
    return read, len(rows), kept - len(rows), len(user_ids), len(item_ids)


library, path = sys.argv[1:]
start = time.perf_counter()
read, accepted, duplicates, users, items = {"pandas": with_pandas, "polars": with_polars}[library](path)
seconds = time.perf_counter() - start
print(json.dumps({
    "library": library, "version": __import__(library).__version__, "read": read, "accepted": accepted,
    "duplicates": duplicates, "quarantined": read - accepted - duplicates, "users": users, "items": items,
    "seconds": round(seconds, 2), "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
