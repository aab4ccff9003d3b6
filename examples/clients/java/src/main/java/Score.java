import com.google.protobuf.ByteString;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import org.tensorflow.Result;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.Tensor;
import org.tensorflow.ndarray.NdArray;
import org.tensorflow.ndarray.NdArrays;
import org.tensorflow.proto.BytesList;
import org.tensorflow.proto.Example;
import org.tensorflow.proto.Feature;
import org.tensorflow.proto.Features;
import org.tensorflow.proto.FloatList;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TString;

/** Loads a pushed model of tfmtl, scores two rows and prints its outputs as JSON. */
public final class Score {
  private static Feature text(String... values) {
    BytesList.Builder list = BytesList.newBuilder();
    for (String value : values) {
      list.addValue(ByteString.copyFromUtf8(value));
    }
    return Feature.newBuilder().setBytesList(list).build();
  }

  private static Feature number(float value) {
    return Feature.newBuilder().setFloatList(FloatList.newBuilder().addValue(value)).build();
  }

  private static byte[] example(Map<String, Feature> row) {
    Features features = Features.newBuilder().putAllFeature(row).build();
    return Example.newBuilder().setFeatures(features).build().toByteArray();
  }

  /** A feature that is left out is missing in its row. */
  private static final List<Map<String, Feature>> ROWS =
      List.of(
          Map.of(
              "user", text("u17"),
              "item", text("i4"),
              "device", text("phone"),
              "price", number(12.5f),
              "interests", text("a", "c")),
          Map.of("user", text("somebody new"), "device", text("desktop"), "price", number(80f)));

  public static void main(String[] arguments) {
    byte[][] rows = ROWS.stream().map(Score::example).toArray(byte[][]::new);
    NdArray<byte[]> values = NdArrays.vectorOfObjects(rows);
    try (SavedModelBundle model = SavedModelBundle.load(arguments[0], "serve");
        TString examples = TString.tensorOfBytes(values);
        Result result = model.function("serving_default").call(Map.of("examples", examples))) {
      StringJoiner json = new StringJoiner(", ", "{", "}");
      for (Map.Entry<String, Tensor> output : result) {
        StringJoiner scores = new StringJoiner(", ", "[", "]");
        ((TFloat32) output.getValue()).scalars().forEach(score -> scores.add(score.getObject().toString()));
        json.add("\"" + output.getKey() + "\": " + scores);
      }
      System.out.println(json);
    }
  }
}
