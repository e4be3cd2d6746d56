"""The shop's addresses."""

from django.conf import settings
from django.urls import path
from django.views.static import serve

from catalog import views

urlpatterns = [
    path("healthz", views.healthz),
    path("products/", views.products),
    path("products/<int:key>/", views.product),
    path("documents/", views.documents),
    path("image-cache/", views.image_cache),
    # Django's own view serves the pictures, also with DEBUG off: no web server stands before it here.
    path("media/<path:path>", serve, {"document_root": settings.MEDIA_ROOT}),
]
