terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.0"
    }
  }
}

provider "azurerm" {
  features {}
}

variable "resource_group" {
  type = string
}

variable "subnet_id" {
  type = string
}

variable "ssh_public_key" {
  type = string
}

resource "azurerm_network_interface" "gpu" {
  count               = $count
  name                = "$name-${count.index}"
  location            = $region
  resource_group_name = var.resource_group

  ip_configuration {
    name                          = "internal"
    subnet_id                     = var.subnet_id
    private_ip_address_allocation = "Dynamic"
  }
}

resource "azurerm_linux_virtual_machine" "gpu" {
  count                 = $count
  name                  = "$name-${count.index}"
  location              = $region
  resource_group_name   = var.resource_group
  size                  = $instance_type
  admin_username        = "gpu"
  network_interface_ids = [azurerm_network_interface.gpu[count.index].id]
$market
  admin_ssh_key {
    username   = "gpu"
    public_key = var.ssh_public_key
  }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Premium_LRS"
    disk_size_gb         = $disk_gb
  }

  source_image_reference {
    publisher = "microsoft-dsvm"
    offer     = "ubuntu-hpc"
    sku       = "2204"
    version   = "latest"
  }
$program
  tags = {
    ManagedBy = "gpuplan"
  }
}

output "addresses" {
  value = azurerm_network_interface.gpu[*].private_ip_address
}
