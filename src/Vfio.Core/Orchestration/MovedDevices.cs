using System.Text;
using Vfio.Core.Orchestration.Container;

namespace Vfio.Core.Orchestration;

/// <summary>What is asked of the devices of either side before they are looked at.</summary>
internal static class MovedDevices
{
    public static void Check(IReadOnlyList<MigratingDevice> devices)
    {
        if (devices.Count is 0 or > ContainerFormat.MaxDevices)
            throw new VfioException(Errno.EINVAL, $"1 to {ContainerFormat.MaxDevices} devices are moved at once, not {devices.Count}");
        if (devices.GroupBy(d => d.Name).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new VfioException(Errno.EINVAL, $"{twice.Key} is there twice");
        foreach (var text in devices.SelectMany(d => new[] { d.Name, d.Identity }))
        {
            if (Encoding.UTF8.GetByteCount(text) > ContainerFormat.MaxTextSize)
                throw new VfioException(Errno.EINVAL, $"a name or an identity has at most {ContainerFormat.MaxTextSize} bytes");
        }
    }

    public static MigrationStepException WithoutP2P(string device)
        => new(Errno.EOPNOTSUPP, $"{device} has no P2P states, so it cannot move in a set, unless its devices never speak to each other");

    public static void UseOnce(ref int used)
    {
        if (Interlocked.Exchange(ref used, 1) != 0)
            throw new InvalidOperationException("A migration is run once.");
    }
}
