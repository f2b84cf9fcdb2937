terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

provider "aws" {
  region = $region
}

# The newest deep learning image with driver and Docker, as AWS names it.
data "aws_ssm_parameter" "image" {
  name = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
}

resource "aws_instance" "gpu" {
  count         = $count
  ami           = data.aws_ssm_parameter.image.value
  instance_type = $instance_type
$market
  root_block_device {
    volume_size = $disk_gb
    volume_type = "gp3"
  }
$program
  tags = {
    Name      = "$name-${count.index}"
    ManagedBy = "gpuplan"
  }
}
$block
output "addresses" {
  value = aws_instance.gpu[*].private_ip
}
