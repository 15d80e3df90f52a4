"""Attestations: what is stated is what was verified, and whoever alters a file, the statement or the key is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from onnx import TensorProto, helper, numpy_helper

from isoform import store
from isoform.errors import IsoformError, UsageError
from isoform.isolation import Pool
from isoform.stages import attest

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "verify.schema.json"


def made_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a new private key and its public one, as OpenSSL writes them."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    kinds = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*kinds))
    public.write_bytes(key.public_key().public_bytes(kinds[0], serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def isoform(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "isoform", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two pairs of keys and ``net``, a signed TFLite artifact."""
    folder = tmp_path_factory.mktemp("attested")
    made_keys(folder, "ours")
    made_keys(folder, "other")
    weight = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])], [numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "m.onnx")
    done = isoform(folder, "convert", "m.onnx", "--to", "tflite", "--name", "net", "--out", "exports")
    assert done.returncode == 0, done.stderr
    shutil.move(folder / "exports" / "net" / "tflite", folder / "net")
    done = isoform(folder, "attest", "net", "--key", "ours.pem", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"attestations": ["net/attestation.json"], "signed": True}
    return folder


@pytest.fixture
def copy(place: Path, tmp_path: Path) -> Path:
    shutil.copytree(place, tmp_path / "copy")
    return tmp_path / "copy"


def checked(folder: Path, key: str | None = "ours.pub") -> attest.Attestation:
    return attest.check(folder / "net" / "attestation.json", folder / key if key else None)


def test_the_statement_names_files_source_converters_and_figures(place: Path) -> None:
    found, record = (json.loads((place / "net" / name).read_bytes()) for name in ("attestation.json", "artifact.json"))
    digests = {entry["name"]: entry["digest"]["sha256"] for entry in found["subject"]}
    assert digests == {name: store.digest_file(place / "net" / name) for name in (*record["files"], "artifact.json")}
    assert {"model.tflite", "cases.npz", "artifact.json"} <= digests.keys()
    assert (found["_type"], found["predicateType"]) == (
        "https://in-toto.io/Statement/v1", "https://slsa.dev/verification_summary/v1"
    )  # fmt: skip
    predicate, own = found["predicate"], found["predicate"]["isoform"]
    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("PASSED", ["ISOFORM_PARITY_PASS"])
    assert own["source"]["digest"]["sha256"] == record["source"]["sha256"]
    assert [each["converter"] for each in own["materials"]] == ["onnx_to_tflite"]
    assert own["parity"][0]["outputs"][0]["r_rms"] < 8
    assert {"isoform", "ai_edge_litert"} <= predicate["verifier"]["version"].keys()


def test_a_signed_artifact_holds_also_after_it_was_measured(copy: Path) -> None:
    (copy / "net" / "bench.json").write_text("{}")
    found = checked(copy)
    assert (found.verdict, found.is_signed, found.findings) == ("PASS", True, ())
    assert checked(copy, None).is_signed is False


def alter_model(net: Path) -> None:
    content = bytearray((net / "model.tflite").read_bytes())
    content[-1] ^= 1
    (net / "model.tflite").write_bytes(content)


def alter_statement(net: Path) -> None:
    text = (net / "attestation.json").read_text()
    (net / "attestation.json").write_text(text.replace("ISOFORM_PARITY_PASS", "ISOFORM_PARITY_WARN"))


def alter_both(net: Path) -> None:
    """Exchange a file and say so in the statement, as somebody would who has no key."""
    alter_model(net)
    document = json.loads((net / "attestation.json").read_bytes())
    for entry in document["subject"]:
        entry["digest"]["sha256"] = store.digest_file(net / entry["name"])
    (net / "attestation.json").write_text(json.dumps(document))


def alter_signature(net: Path) -> None:
    bundle = json.loads((net / "attestation.sig").read_bytes())
    [entry] = bundle["dsseEnvelope"]["signatures"]
    entry["sig"] = entry["sig"][:-8] + "AAAAAAA="
    (net / "attestation.sig").write_text(json.dumps(bundle))


@pytest.mark.parametrize(
    ("alter", "finding"),
    [
        (alter_model, "'model.tflite' is not the file that was attested"),
        (lambda net: (net / "cases.npz").unlink(), "'cases.npz' is not there"),
        (alter_statement, "signed was another 'attestation.json'"),
        (alter_both, "signed was another 'attestation.json', another 'model.tflite'"),
        (alter_signature, "the signature"),
        (lambda net: (net / "attestation.sig").unlink(), "there is no attestation.sig beside it"),
        (lambda net: (net / "attestation.sig").write_text("{}"), "the signature does not hold"),
    ],
)
def test_what_was_altered_is_refused_and_named(copy: Path, alter: object, finding: str) -> None:
    alter(copy / "net")  # type: ignore[operator]
    found = checked(copy)
    assert (found.verdict, found.is_signed) == ("FAIL", False)
    assert any(each.startswith(finding) for each in found.findings), found.findings


def test_another_key_is_refused(copy: Path) -> None:
    found = checked(copy, "other.pub")
    assert found.findings == ("the signature was made with another key, or was altered",)


def test_a_signature_over_other_files_covers_nothing(copy: Path) -> None:
    from model_signing import signing

    (copy / "elsewhere").mkdir()
    (copy / "elsewhere" / "a").write_text("a")
    signer = signing.Config().use_elliptic_key_signer(private_key=copy / "ours.pem")
    signer.sign(copy / "elsewhere", copy / "net" / "attestation.sig")
    assert checked(copy).verdict == "FAIL"


def test_without_a_key_only_files_are_held_against_the_statement(copy: Path) -> None:
    alter_statement(copy / "net")
    assert checked(copy, None).verdict == "PASS"
    alter_model(copy / "net")
    assert checked(copy, None).findings == ("'model.tflite' is not the file that was attested",)


def test_the_command_runs_nothing_and_ends_with_one_where_something_was_altered(copy: Path) -> None:
    words = ("verify", "--attestation", "net/attestation.json", "--public-key", "ours.pub", "--json")
    good = isoform(copy, *words)
    assert good.returncode == 0, good.stderr
    document = json.loads(good.stdout)
    jsonschema.validate(document, json.loads(SCHEMA.read_bytes()), cls=jsonschema.Draft202012Validator)
    assert (document["results"], document["attestations"][0]["signed"]) == ([], True)
    alter_model(copy / "net")
    bad = isoform(copy, *words[:-1])
    assert bad.returncode == 1
    assert "FAIL" in bad.stderr
    assert "'model.tflite' is not the file that was attested" in bad.stderr


def test_what_does_not_pass_is_not_attested(copy: Path) -> None:
    alter_model(copy / "net")
    before = store.inventory(copy / "net")
    done = isoform(copy, "attest", "net")
    assert done.returncode == 1
    assert "net: not attested, its verdict is " in done.stderr
    assert store.inventory(copy / "net") == before


def test_a_key_that_is_none_is_a_mistake_of_usage_and_leaves_nothing(copy: Path) -> None:
    (copy / "net" / "attestation.json").unlink()
    (copy / "none.pem").write_text("no key")
    with Pool(copy / "logs") as pool, pytest.raises(UsageError, match=r"none\.pem: not a private key that can sign"):
        attest.attest(copy / "net", copy / "none.pem", pool)
    assert not (copy / "net" / "attestation.json").exists()
    (copy / "net" / "attestation.json").write_bytes((copy.parent / "copy" / "ours.pub").read_bytes())
    with pytest.raises(IsoformError, match="not valid JSON"):
        checked(copy)


@pytest.mark.parametrize("subject", [[], [{"name": "../m.onnx", "digest": {"sha256": "a"}}], [{"name": "a"}], "text"])
def test_a_statement_that_reaches_outside_or_is_not_whole_is_damaged(copy: Path, subject: object) -> None:
    document = json.loads((copy / "net" / "attestation.json").read_bytes())
    (copy / "net" / "attestation.json").write_text(json.dumps({**document, "subject": subject}))
    with pytest.raises(IsoformError) as refused:
        checked(copy)
    assert refused.value.kind == "damaged"
