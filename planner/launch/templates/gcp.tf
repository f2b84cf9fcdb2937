terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

variable "project" {
  type = string
}

variable "zone" {
  type        = string
  description = "A zone of $place that has the machine: gcloud compute machine-types list --filter=name=$machine"
}

variable "image" {
  type        = string
  description = "A boot image with driver and Docker: gcloud compute images list --project deeplearning-platform-release"
}

provider "google" {
  project = var.project
  zone    = var.zone
}

resource "google_compute_instance" "gpu" {
  count        = $count
  name         = "$name-${count.index}"
  machine_type = $instance_type
  zone         = var.zone

  boot_disk {
    initialize_params {
      image = var.image
      size  = $disk_gb
    }
  }

  network_interface {
    network = "default"
  }
$accelerator
  scheduling {
$market
  }
$program
  labels = {
    managed-by = "gpuplan"
  }
}

output "addresses" {
  value = google_compute_instance.gpu[*].network_interface[0].network_ip
}
