package preprocess

import "github.com/freshet-ml/freshet/models"

// Components lists the transformers, and the models that wrap others, for the catalogue.
var Components = []models.Component{
	StandardScalerComponent,
	EWScalerComponent,
	MinMaxScalerComponent,
	MaxAbsScalerComponent,
	RobustScalerComponent,
	SignedLogComponent,
	ClipComponent,
	ImputeComponent,
	MissingIndicatorComponent,
	OneHotComponent,
	OrdinalEncoderComponent,
	HashingComponent,
	TargetEncoderComponent,
	CountEncoderComponent,
	PolynomialComponent,
	RandomFourierComponent,
	VarianceThresholdComponent,
	SelectKBestComponent,
	WordNGramsComponent,
	CharNGramsComponent,
	TFIDFComponent,
	UnionComponent,
	ChainComponent,
	UnderSamplerComponent,
	OverSamplerComponent,
	HardSamplerComponent,
	CalibratedComponent,
}
