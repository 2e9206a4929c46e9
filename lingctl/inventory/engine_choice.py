"""What hosts.yaml says of the engine that serves the model."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lingctl.inventory import forms
from lingctl.inventory.sections import Section

EngineName = Literal["mindie", "vllm"]


class EngineChoice(Section):
    """What serves the model. `engine: vllm` alone is short for `engine: {name: vllm}`."""

    name: EngineName = Field("mindie", description="The engine; `lingctl engines` tells what each can.")
    version: str | None = Field(
        None,
        pattern=forms.VERSION,
        description="Its version, in quotes; default: that of `mindie`, or the newest vLLM that is known.",
    )
    hardware: Literal["a2", "a3"] = Field(
        "a2", description="vLLM: the machines, which its image is built for: Atlas 800I A2 or A3."
    )
    system: Literal["ubuntu", "openeuler"] = Field("ubuntu", description="vLLM: the system in its image.")
    parallel: Literal["pipeline", "tensor", "data"] | None = Field(
        None,
        description="vLLM: how cards share the model: every layer cut over all of them (tensor, the default "
        "on one node), groups of layers one after another (pipeline, the default on several), or whole "
        "attention in each group and experts over all (data).",
    )
    distributed: Literal["mp", "ray"] = Field(
        "mp",
        description="vLLM: what starts the workers of several nodes: vLLM itself, or the site's own Ray.",
    )
    ray_address: str | None = Field(
        None,
        pattern=forms.HOST_AND_PORT,
        description="vLLM: HOST:PORT of the site's Ray; default: port 6379 of the first node.",
    )
    eager: bool = Field(False, description="vLLM: without graphs (--enforce-eager): slower, and safer.")
    fold_norm_head: bool = Field(
        False,
        description="vLLM below 0.26, which ignores norm_head: deploy writes a copy of the weights whose "
        "lm_head is normalised (FOLDER_folded; one file anew, the others are links), and serves that.",
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        names = {"enum": list(get_args(EngineName)), "type": "string"}
        whole = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [names, whole]}

    @model_validator(mode="before")
    @classmethod
    def _may_be_a_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_what_it_knows(self) -> Self:
        given = sorted(self.model_fields_set - {"name", "version"})
        if self.name == "mindie" and given:
            raise ValueError(f"{given[0]} is vLLM's, and the engine is MindIE: leave it out")
        if self.ray_address and self.distributed != "ray":
            raise ValueError("ray_address goes with distributed: ray")
        return self
