using Vfio.User.Sessions;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>Carries out a feature that has passed the kernel's checks (<c>vfio_check_feature</c>).</summary>
/// <param name="session">Whose.</param>
/// <param name="isSet">SET; GET otherwise.</param>
/// <param name="input">The data that came along: for SET, at least what the feature needs.</param>
/// <param name="output">
/// Room for the data that goes back, zeroed: for GET, at least what the feature needs; never less than came along.
/// </param>
/// <returns>The bytes that go back; 0 for those that came along.</returns>
internal delegate VfioResult<int> FeatureHandler(ClientSession session, bool isSet, ReadOnlySpan<byte> input, Span<byte> output);

/// <summary>A feature that the front end answers out of a capability of the device, as the kernel's core does.</summary>
/// <param name="Supported">GET, SET or both.</param>
/// <param name="Minimum">The bytes of data that it needs.</param>
/// <param name="Absence">Why the session's device lacks it; None where it has it.</param>
/// <param name="Carry">What carries it out.</param>
internal sealed record CapabilityFeature(
    FeatureOperation Supported, int Minimum, Func<ClientSession, Errno> Absence, FeatureHandler Carry)
{
    private static readonly CapabilityFeature?[] Features = Build(
    [
        (FeatureId.Migration, new(FeatureOperation.Get, sizeof(ulong), NoMigration, MigrationFeatures.GetCapabilities)),
        (FeatureId.MigrationDeviceState, new(
            FeatureOperation.Get | FeatureOperation.Set, MigrationDeviceStateStructure.Size, NoMigration, MigrationFeatures.DeviceState)),
        (FeatureId.MigrationDataSize, new(FeatureOperation.Get, sizeof(ulong), NoMigration, MigrationFeatures.GetDataSize)),
        (FeatureId.MigrationPrecopyInfoV2, new(FeatureOperation.Set, 0, NoPrecopy, MigrationFeatures.EnablePrecopyInfoV2)),
        (FeatureId.DmaLoggingStart, new(FeatureOperation.Set, DmaLoggingControlStructure.Size, NoLogging, DmaLoggingFeatures.Start)),
        (FeatureId.DmaLoggingStop, new(FeatureOperation.Set, 0, NoLogging, DmaLoggingFeatures.Stop)),
        (FeatureId.DmaLoggingReport, new(FeatureOperation.Get, DmaLoggingReportStructure.Size, NoLogging, DmaLoggingFeatures.Report)),
    ]);

    /// <summary>The feature of an id; null for one that is the device's own.</summary>
    public static CapabilityFeature? Find(int id) => id < Features.Length ? Features[id] : null;

    private static Errno NoMigration(ClientSession session) => session.Migration is null ? Errno.ENOTTY : Errno.None;

    private static Errno NoPrecopy(ClientSession session)
    {
        if (session.Migration is not { } migration)
            return Errno.ENOTTY;
        return migration.Capabilities.HasFlag(MigrationCapabilities.PreCopy) ? Errno.None : Errno.EINVAL;
    }

    private static Errno NoLogging(ClientSession session) => session.DmaLogging is null ? Errno.ENOTTY : Errno.None;

    private static CapabilityFeature?[] Build(ReadOnlySpan<(int Id, CapabilityFeature Feature)> entries)
    {
        var features = new CapabilityFeature?[FeatureId.MigrationPrecopyInfoV2 + 1];
        foreach (var (id, feature) in entries)
            features[id] = feature;
        return features;
    }
}
