package preprocess

import "github.com/freshet-ml/freshet/models"

// Components lists the transformers for the catalogue.
var Components = []models.Component{
	StandardScalerComponent,
	EWScalerComponent,
	SignedLogComponent,
	ClipComponent,
	ImputeComponent,
	MissingIndicatorComponent,
	OneHotComponent,
	HashingComponent,
	TargetEncoderComponent,
}
