using Vfio;
using Vfio.TestPlugins;

[assembly: VfioPlugin(typeof(OtherMajorDriver))]

namespace Vfio.TestPlugins;

public sealed class OtherMajorDriver : VariantDriver;
