package preprocess

import "github.com/freshet-ml/freshet/models"

// Components lists the transformers for the catalogue.
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
	UnionComponent,
	ChainComponent,
}
