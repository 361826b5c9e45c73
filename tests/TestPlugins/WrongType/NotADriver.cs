using Vfio;
using Vfio.TestPlugins;

[assembly: VfioPlugin(typeof(NotADriver))]

namespace Vfio.TestPlugins;

public sealed class NotADriver;
