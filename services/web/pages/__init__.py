"""Pages."""

from fastapi import APIRouter

ROUTERS: list[APIRouter] = []
