"""The operations of TensorFlow that a graph may consist of: they compute, and do nothing else."""

__all__ = ["draws", "is_pure", "seeds"]

_PURE = frozenset(
    word
    for line in (
        "Abs Acos Acosh Add AddN AddV2 All Angle Any ApproximateEqual ArgMax ArgMin Asin Asinh Assert Atan Atan2",
        "Atanh AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpace BatchToSpaceND BesselI0e",
        "BesselI1e BiasAdd BiasAddV1 Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs",
        "BroadcastGradientArgs BroadcastTo Bucketize Case Cast Ceil CheckNumerics Cholesky ClipByValue",
        "CombinedNonMaxSuppression Complex ComplexAbs Concat ConcatOffset ConcatV2 Conj Const Conv Conv2D",
        "Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 Cos Cosh CropAndResize Cross CudnnRNN",
        "CudnnRNNCanonicalToParams CudnnRNNV2 CudnnRNNV3 Cumprod Cumsum CumulativeLogsumexp DenseBincount",
        "DepthToSpace DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput Diag DiagPart Digamma Dilation2D",
        "Div DivNoNan DynamicPartition DynamicStitch Einsum Elu Empty EmptyTensorList EnsureShape Equal Erf Erfc",
        "Erfinv Exp ExpandDims Expm1 ExtractImagePatches FFT FFT2D FFT3D Fill Floor FloorDiv FloorMod",
        "FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D",
        "FusedResizeAndPadConv2D Gather GatherNd GatherV2 Greater GreaterEqual HSVToRGB IFFT IFFT2D IFFT3D IRFFT",
        "IRFFT2D Identity IdentityN If Igamma Igammac Imag ImageProjectiveTransformV2 ImageProjectiveTransformV3",
        "InTopK InTopKV2 Inv Invert InvertPermutation IsFinite IsInf IsNan L2Loss LRN LeakyRelu LeftShift Less",
        "LessEqual Lgamma LinSpace Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr LowerBound MatMul",
        "MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2",
        "MatrixDiagV3 MatrixInverse MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve",
        "MatrixTriangularSolve Max MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean Min Minimum",
        "MirrorPad Mod Mul MulNoNan Multinomial Ndtri Neg NextAfter NoOp NotEqual OneHot OnesLike Pack Pad PadV2",
        "ParallelConcat ParallelDynamicStitch PartitionedCall Placeholder PlaceholderWithDefault Polygamma Pow",
        "PreventGradient Prod Qr RFFT RFFT2D RGBToHSV RandomGamma RandomShuffle RandomStandardNormal RandomUniform",
        "RandomUniformInt Range Rank ReadVariableOp Real RealDiv Reciprocal Relu Relu6 Reshape ResizeArea",
        "ResizeBicubic ResizeBilinear ResizeNearestNeighbor ResourceGather ResourceGatherNd Reverse",
        "ReverseSequence ReverseV2 RightShift Rint Roll Round Rsqrt ScaleAndTranslate ScatterNd SearchSorted",
        "SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Select SelectV2 SelfAdjointEigV2 Selu Shape",
        "ShapeN Sigmoid Sign Sin Sinh Size Slice Snapshot Softmax Softplus Softsign SpaceToBatch SpaceToBatchND",
        "SpaceToDepth Split SplitV Sqrt Square SquaredDifference Squeeze StatefulPartitionedCall StatelessCase",
        "StatelessIf StatelessMultinomial StatelessRandomBinomial StatelessRandomGetAlg",
        "StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal",
        "StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformFullInt",
        "StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2",
        "StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2",
        "StatelessWhile StopGradient StridedSlice Sub Sum Svd Tan Tanh TensorListConcatV2 TensorListElementShape",
        "TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack",
        "TensorListPushBack TensorListReserve TensorListResize TensorListScatterV2 TensorListSetItem",
        "TensorListSplit TensorListStack TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub",
        "TensorScatterUpdate Tile TopK TopKV2 Transpose TridiagonalSolve TruncateDiv TruncateMod TruncatedNormal",
        "Unique UniqueV2 UniqueWithCounts Unpack UnravelIndex UnsortedSegmentMax UnsortedSegmentMin",
        "UnsortedSegmentProd UnsortedSegmentSum UpperBound VarIsInitializedOp VariableShape Where While Xdivy",
        "Xlog1py Xlogy ZerosLike Zeta",
    )
    for word in line.split()
)
_DRAWS = ("StatelessRandom", "StatelessTruncated", "Random", "TruncatedNormal", "Multinomial", "StatelessMultinomial")
_SEEDED = "StatelessRandom"


def is_pure(operation: str) -> bool:
    """Whether an operation only computes: no files, no Python, no output, no state.

    Args:
        operation: Its name in TensorFlow.
    """
    return operation in _PURE


def seeds(operation: str, together: set[str]) -> bool:
    """Whether an operation advances the seed of random numbers, the only state that layers of Keras change.

    Args:
        operation: Its name in TensorFlow.
        together: All operations of its function.
    """
    return operation == "AssignVariableOp" and any(each.startswith(_SEEDED) for each in together)


def draws(operation: str) -> bool:
    """Whether an operation draws random numbers.

    Args:
        operation: Its name in TensorFlow.
    """
    return operation.startswith(_DRAWS)
