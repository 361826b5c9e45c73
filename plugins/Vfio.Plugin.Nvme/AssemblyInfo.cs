using Vfio;
using Vfio.Plugin.Nvme;

[assembly: VfioPlugin(typeof(NvmeVariantDriver))]
