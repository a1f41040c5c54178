package neural

import "github.com/freshet-ml/freshet/models"

// Components lists what this package has for the catalogue.
var Components = []models.Component{MLPComponent, WideAndDeepComponent, DeepFMComponent, TwoTowerComponent, HedgeComponent, AutoencoderComponent,
	GRUComponent, RNNComponent, LinearRecurrenceComponent, EmbeddingComponent}
