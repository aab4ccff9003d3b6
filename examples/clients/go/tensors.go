package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	pb "example.com/tfmtl/client/prediction"
)

// floats returns the values of a float tensor, which a server may send as numbers or as little-endian bytes.
func floats(tensor *pb.TensorProto) ([]float32, error) {
	if tensor.Dtype != pb.DataType_DT_FLOAT {
		return nil, fmt.Errorf("a score should be a float tensor. Received: %v", tensor.Dtype)
	}
	size := int64(1)
	for _, dim := range tensor.GetTensorShape().GetDim() {
		size *= dim.Size
	}
	values := make([]float32, size)
	if len(tensor.TensorContent) > 0 {
		err := binary.Read(bytes.NewReader(tensor.TensorContent), binary.LittleEndian, values)
		return values, err
	}
	// Equal values at the end may be sent once.
	for i := range values {
		if last := len(tensor.FloatVal) - 1; last >= 0 {
			values[i] = tensor.FloatVal[min(i, last)]
		}
	}
	return values, nil
}
