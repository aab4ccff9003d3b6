"""Raw files of Ali-CCP with each kind of valid and invalid line."""

import pathlib

ANN, BOB, CY, DI = "84dceed2e3a667f8", "0000000000000001", "ffffffffffffffff", "00000000000000AB"


def features(*descriptions):
    """Formats features such as `features("205=i7", "508=c1:0.69")` as in the raw files; the default value is 1.0."""
    listed = []
    for description in descriptions:
        field, _, token_and_value = description.partition("=")
        token, _, value = token_and_value.partition(":")
        listed.append(f"{field}\x02{token}\x03{value or '1.0'}")
    return f"{len(listed)},{chr(1).join(listed)}"


COMMON_TRAIN = [
    f"{ANN},"
    + features("101=u1", "121=98", "124=1", "109_14=5:1.38629", "109_14=9:0.69315", "109_14=7:2.3979", "129=3"),
    f"{BOB}," + features("101=u2", "121=7", "121=8", "110_14=5:3", "126=2", "205=i9"),
    "",
    f"{ANN}," + features("101=u1"),  # duplicate_id
    f"{CY},3,101\x02u3\x031.0",  # wrong_column_count: two of three features are missing
    f"{DI.lower()}," + features("101=u4", "999=z", "999=y"),
    "xyz," + features("101=u5"),  # invalid_id
    "1234567890abcdef," + features("101=u6", "150_14=1:much"),  # invalid_weights, if values are ingested
    "fedcba0987654321,0,",
]
COMMON_TEST = [
    f"{CY}," + features("101=u3", "121=98", "150_14=3:0.5"),
    f"{ANN}," + features("101=u1", "121=97"),
]
VALID = [
    f"1,0,0,{ANN}," + features("205=i1", "206=c1", "207=s1", "210=n1", "210=n2", "301=1"),
    f"2,1,0,{ANN}," + features("301=1", "205=i2", "206=c1", "508=9:0.69315", "216=b1", "205=i3"),
    f"3,1,1,{BOB}," + features("210=n1", "205=i1", "210=n3:2.0", "301=2", "853=1:1.5", "853=2:2.5"),
    f"4,0,0,{DI}," + features("205=i1", "301=3", "777=q"),
    "5,0,0,fedcba0987654321,0,",
    f"6,0,0,{BOB}," + features("101=u9", "205=i1", "206=é", "301=1"),
]
SKELETON_TRAIN = [
    *VALID,
    "",
    f"7,0,1,{ANN}," + features("205=i1"),  # broken_chain
    f"2,0,0,{ANN}," + features("205=i1"),  # duplicate_id
    f"8,0,0,{CY}," + features("205=i1"),  # missing_common_row: it was rejected
    "9,0,0,x," + features("205=i1"),  # missing_common_row
    f"10,0,0,{ANN}",  # wrong_column_count
    f"11,0,0,{ANN},3," + features("205=i1", "206=c1").partition(",")[2],  # wrong_column_count
    f"12,0,0,{ANN},x," + features("205=i1").partition(",")[2],  # wrong_column_count
    f"13,0,0,{ANN},1,205\x02i1",  # incomplete_feature
    f"14,0,0,{ANN},2,205\x02i1\x031.0\x01206\x02\x031.0",  # incomplete_feature
    f"15,0,0,{ANN},1,205\x03i1\x021.0",  # incomplete_feature
    f"16,,0,{ANN}," + features("205=i1"),  # missing_label
    f"17,0,2,{ANN}," + features("205=i1"),  # invalid_label
    f"x,0,0,{ANN}," + features("205=i1"),  # invalid_id
    f",0,0,{ANN}," + features("205=i1"),  # invalid_id
    f"18,0,0,{ANN}," + features("205=i1", "508=9:nan"),  # invalid_weights, if values are ingested
    f"19,0,0,{ANN}," + features("205=i1", "508=9:inf"),  # invalid_weights, if values are ingested
    f"20,0,0,{ANN}," + features("205=i\udcff1"),  # invalid_encoding
    f"17,0,0,{ANN}," + features("205=i1"),  # duplicate_id
    *(f"{i},{i % 2},0,{(ANN, BOB)[i % 2]}," + features(f"205=i{i % 3}", "301=1") for i in range(100, 180)),
]
SKELETON_TEST = [
    f"1,0,0,{ANN}," + features("205=i1", "301=2"),
    f"2,0,1,{CY}," + features("205=i1"),  # broken_chain
    f"3,1,1,{CY}," + features("205=new", "301=2", "853=1:1.5", "150_14=7:9.0"),
    f"4,0,0,{BOB}," + features("205=i1"),  # missing_common_row: it is in the train file
]


def write_raw(folder: pathlib.Path) -> pathlib.Path:
    """Writes the four files and returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "common_features_train": COMMON_TRAIN,
        "common_features_test": COMMON_TEST,
        "sample_skeleton_train": SKELETON_TRAIN,
        "sample_skeleton_test": SKELETON_TEST,
    }
    for name, lines in files.items():
        text = "".join(f"{line}\n" for line in lines)
        (folder / f"{name}.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    return folder
