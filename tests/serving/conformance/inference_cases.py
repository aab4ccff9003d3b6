"""Errors of Classify, Regress and MultiInference."""

from tensorflow_serving.apis import classification_pb2, regression_pb2

from serving.inference import CLASSIFY, REGRESS
from tests.serving.conformance.cases import Case, classify, multi, regress, spec

CASES = {
    "Classify: no model_spec": Case(
        "Classify", classification_pb2.ClassificationRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"
    ),
    "Classify: unknown version": Case(
        "Classify", classify(1.0, version=9), "NOT_FOUND", "Servable not found for request: Specific(e, 9)"
    ),
    "Classify: unknown signature": Case(
        "Classify", classify(1.0, signature="zz"), "INVALID_ARGUMENT", "No signature was found with the name: zz"
    ),
    "Classify: predict signature": Case(
        "Classify", classify(1.0), "INVALID_ARGUMENT",
        "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
        "tensorflow/serving/predict",
    ),
    "Classify: empty input": Case(
        "Classify", classify(signature="classify"), "INVALID_ARGUMENT", "Input is empty."
    ),
    "Classify: no input": Case(
        "Classify", classification_pb2.ClassificationRequest(model_spec=spec("e", "classify")), "INVALID_ARGUMENT",
        "Input is empty.",
    ),
    "Classify: two inputs": Case(
        "Classify", classify(1.0, signature="classify_two"), "INVALID_ARGUMENT", "Expected one input Tensor."
    ),
    "Classify: other input": Case(
        "Classify", classify(1.0, signature="classify_input"), "FAILED_PRECONDITION",
        "No classification inputs found in SignatureDef: ", part=True,
    ),
    "Classify: other output": Case(
        "Classify", classify(1.0, signature="classify_output"), "FAILED_PRECONDITION",
        'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was: ',
        part=True,
    ),
    "Classify: three outputs": Case(
        "Classify", classify(1.0, signature="classify_three"), "INVALID_ARGUMENT",
        "Expected one or two output Tensors, found 3",
    ),
    "Classify: input of numbers": Case(
        "Classify", classify(1.0, signature="classify_number"), "INVALID_ARGUMENT",
        "Expects arg[0] to be float but string is provided",
    ),
    "Classify: scores of rank 1": Case(
        "Classify", classify(1.0, 2.0, signature="classify_rank"), "INVALID_ARGUMENT",
        "Expected Tensor shape: [batch_size num_classes] but got [2]",
    ),
    "Classify: scores of integers": Case(
        "Classify", classify(1.0, signature="classify_integers"), "INVALID_ARGUMENT",
        "Expected scores Tensor of DT_FLOAT. Got: DT_INT64",
    ),
    "Classify: scores of one row": Case(
        "Classify", classify(1.0, 2.0, signature="classify_rows"), "INVALID_ARGUMENT",
        "Expected scores output batch size of 2. Got: 1",
    ),
    "Classify: classes and scores differ": Case(
        "Classify", classify(1.0, signature="classify_widths"), "INVALID_ARGUMENT",
        "Tensors class and score should match in dim_size(1). Got 2 vs. 3",
    ),
    "Regress: no model_spec": Case(
        "Regress", regression_pb2.RegressionRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"
    ),
    "Regress: unknown signature": Case(
        "Regress", regress(1.0, signature="zz"), "INVALID_ARGUMENT", "No signature was found with the name: zz"
    ),
    "Regress: predict signature": Case(
        "Regress", regress(1.0), "INVALID_ARGUMENT",
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict",
    ),
    "Regress: empty input": Case("Regress", regress(signature="regress"), "INVALID_ARGUMENT", "Input is empty."),
    "Regress: two outputs": Case(
        "Regress", regress(1.0, signature="regress_two"), "INVALID_ARGUMENT", "Expected one output Tensor."
    ),
    "Regress: other output": Case(
        "Regress", regress(1.0, signature="regress_output"), "FAILED_PRECONDITION",
        "No regression outputs found in SignatureDef: ", part=True,
    ),
    "Regress: outputs of rank 2": Case(
        "Regress", regress(1.0, signature="regress_rank"), "INVALID_ARGUMENT",
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]",
    ),
    "Regress: outputs of one row": Case(
        "Regress", regress(1.0, 2.0, signature="regress_rows"), "INVALID_ARGUMENT",
        "Input batch size did not match output batch size: 2 vs. 1",
    ),
    "Regress: outputs of integers": Case(
        "Regress", regress(1.0, signature="regress_integers"), "INVALID_ARGUMENT",
        "Expected output Tensor of DT_FLOAT.  Got: DT_INT64",
    ),
    "MultiInference: no task": Case(
        "MultiInference", multi(), "INVALID_ARGUMENT", "ModelSpec has no name specified."
    ),
    "MultiInference: task without a name": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "classify")), (REGRESS, spec(""))), "INVALID_ARGUMENT",
        "Found ModelSpec with an empty model name.",
    ),
    "MultiInference: two models": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "classify")), (REGRESS, spec("m"))), "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    ),
    "MultiInference: duplicate signature": Case(
        "MultiInference", multi(*[(CLASSIFY, spec("e", "classify"))] * 2), "INVALID_ARGUMENT",
        "Duplicate evaluation of signature: classify",
    ),
    "MultiInference: unknown signature": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "zz"))), "INVALID_ARGUMENT",
        "Requested signature not found in model graph: zz",
    ),
    "MultiInference: other method": Case(
        "MultiInference", multi(("tensorflow/serving/predict", spec("e"))), "UNIMPLEMENTED",
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
    "MultiInference: method of another signature": Case(
        "MultiInference", multi((REGRESS, spec("e", "classify"))), "INVALID_ARGUMENT",
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/classify",
    ),
    "MultiInference: other input": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "classify")), (REGRESS, spec("e", "regress_rank"))),
        "INVALID_ARGUMENT", "Input tensor must be the same for all Signatures.",
    ),
    "MultiInference: empty input": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "classify")), values=()), "INVALID_ARGUMENT", "Input is empty."
    ),
}  # fmt: skip
