from .contract import (
    ContractError as ContractError,
    accept_embedding as accept_embedding,
    accept_expression as accept_expression,
)
from .fresh import ModelHandle as ModelHandle
from .identity import Identity as Identity
from .probe import EmbedProbe as EmbedProbe
