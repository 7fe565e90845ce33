from .derived import Derived as Derived
from .fold import FoldData as FoldData
from .predicted_expression import PredictedExpression as PredictedExpression
from .question import (
    Arms as Arms,
    FamilySettings as FamilySettings,
    Plan as Plan,
    Question as Question,
    Request as Request,
    Truth as Truth,
)
from .settings import Block as Block, InputBlock as InputBlock, LabelBlock as LabelBlock
