package ensemble

import "github.com/freshet-ml/freshet/models"

// Components lists the ensembles for the catalogue, apart from auto, whose experts the catalogue chooses.
var Components = []models.Component{OzaBagging, ADWINBagging, LeveragingBagging, OzaBoost, OnlineAdaBoost, BOLE, AdaptiveRandomForest, StreamingRandomPatches}
