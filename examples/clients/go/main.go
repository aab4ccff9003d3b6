// Scores two rows with a served model of tfmtl and prints its outputs as JSON.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	pb "example.com/tfmtl/client/prediction"
)

func text(values ...string) *pb.Feature {
	list := &pb.BytesList{}
	for _, value := range values {
		list.Value = append(list.Value, []byte(value))
	}
	return &pb.Feature{Kind: &pb.Feature_BytesList{BytesList: list}}
}

func number(values ...float32) *pb.Feature {
	return &pb.Feature{Kind: &pb.Feature_FloatList{FloatList: &pb.FloatList{Value: values}}}
}

// A feature that is left out is missing in its row.
var rows = []map[string]*pb.Feature{
	{
		"user": text("u17"), "item": text("i4"), "device": text("phone"),
		"price": number(12.5), "interests": text("a", "c"),
	},
	{"user": text("somebody new"), "device": text("desktop"), "price": number(80)},
}

func request(model string, rows []map[string]*pb.Feature) (*pb.PredictRequest, error) {
	examples := &pb.TensorProto{
		Dtype:       pb.DataType_DT_STRING,
		TensorShape: &pb.TensorShapeProto{Dim: []*pb.TensorShapeProto_Dim{{Size: int64(len(rows))}}},
	}
	for _, row := range rows {
		example, err := proto.Marshal(&pb.Example{Features: &pb.Features{Feature: row}})
		if err != nil {
			return nil, err
		}
		examples.StringVal = append(examples.StringVal, example)
	}
	return &pb.PredictRequest{
		ModelSpec: &pb.ModelSpec{Name: model, SignatureName: "serving_default"},
		Inputs:    map[string]*pb.TensorProto{"examples": examples},
	}, nil
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: client HOST:PORT MODEL")
	}
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	question, err := request(os.Args[2], rows)
	if err != nil {
		log.Fatal(err)
	}
	deadline, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := pb.NewPredictionServiceClient(connection).Predict(deadline, question)
	if err != nil {
		log.Fatal(err)
	}
	scores := map[string][]float32{}
	for name, tensor := range answer.Outputs {
		if scores[name], err = floats(tensor); err != nil {
			log.Fatal(err)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(scores); err != nil {
		log.Fatal(err)
	}
}
