using System.Runtime.InteropServices;

namespace Vfio.Hosting;

internal sealed partial class VfioHost
{
    public HostDescription Describe()
        => new(
            VfioContract.Version.ToString(),
            $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription} {RuntimeInformation.OSArchitecture}",
            [.. _functions.Select(Describe)],
            Drivers,
            Plugins,
            MediatedDevices);

    private FunctionDescription Describe(HostedFunction hosted)
    {
        var function = hosted.Function;
        return new(
            function.Address.ToString(),
            function.Id.ToString(),
            hosted.Source.Name,
            function.Model,
            function.PhysicalFunction?.ToString(),
            _controllers.Of(function.Address)?.Address.ToString(),
            hosted.Bound?.Describe(hosted.Use));
    }
}
