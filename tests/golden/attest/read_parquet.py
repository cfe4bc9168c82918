"""What pyarrow says of a Parquet file of ours: its digest, structure and a few sums.

    python3 read_parquet.py FILE > parquet.json
"""
import hashlib
import json
import sys

import pyarrow.compute as compute
import pyarrow.parquet as parquet

path = sys.argv[1]
file = parquet.ParquetFile(path)
about = file.metadata
group = about.row_group(0)
table = file.read()
columns = []
for at in range(about.num_columns):
    column = group.column(at)
    columns.append({
        "name": column.path_in_schema,
        "type": column.physical_type,
        "logical": str(file.schema.column(at).logical_type),
        "compression": column.compression,
        "encodings": sorted(column.encodings),
        "nulls": sum(about.row_group(g).column(at).statistics.null_count for g in range(about.num_row_groups)),
        "offset_index": column.has_offset_index,
    })
print(json.dumps({
    "sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(),
    "reader": "pyarrow " + __import__("pyarrow").__version__,
    "created_by": about.created_by,
    "format_version": about.format_version,
    "rows": about.num_rows,
    "row_groups": about.num_row_groups,
    "columns": columns,
    "metadata": {key.decode(): value.decode() for key, value in sorted((about.metadata or {}).items())},
    "sum_of_r": compute.sum(table["r"]).as_py(),
    "wins": compute.sum(table["win"].cast("int64")).as_py(),
    "last_ts": compute.max(table["ts"]).as_py().isoformat(),
}, indent=1))
